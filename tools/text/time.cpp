#include "text/time.hpp"

#include "text/duration.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tidings::tools {
namespace {

constexpr std::string_view kAgo = " ago";
constexpr std::size_t kDay = 10;
constexpr std::size_t kMinute = 16;
constexpr std::size_t kSecond = 19;
constexpr std::size_t kMillisecond = 23;

std::string readable_up_to(Timestamp time, std::size_t length) {
  std::string text = to_rfc3339(time).substr(0, length);
  text[kDay] = ' ';
  return text + " UTC";
}

/// `20261121T093000Z`, as in names of files, with what RFC 3339 has between.
std::string with_separators(std::string text) {
  constexpr std::size_t kCompact = 16;
  if (text.size() != kCompact || text[8] != 'T') return text;
  for (const std::size_t at : {13U, 11U}) text.insert(at, ":");
  for (const std::size_t at : {6U, 4U}) text.insert(at, "-");
  return text;
}

bool names_zone(const std::string& text) {
  return text.ends_with('Z') || text.ends_with('z') || text.find_first_of("+-", kDay) != std::string::npos;
}

}  // namespace

std::string readable_time(Timestamp time) { return readable_up_to(time, kSecond); }
std::string readable_time_exactly(Timestamp time) { return readable_up_to(time, kMillisecond); }

std::chrono::microseconds time_between(Timestamp from, Timestamp to) noexcept {
  std::int64_t between = 0;
  if (!__builtin_sub_overflow(to.time_since_epoch().count(), from.time_since_epoch().count(), &between))
    return std::chrono::microseconds(between);
  return from < to ? std::chrono::microseconds::max() : std::chrono::microseconds::min();
}

std::optional<Timestamp> parse_begin(std::string_view text, Timestamp now) {
  constexpr std::chrono::minutes kToType(1);
  constexpr std::chrono::seconds kJustNow(1);
  if (text == "just now") return now - kJustNow - kToType;
  const auto time = parse_time(text, now);
  if (!time || !text.ends_with(kAgo)) return time;
  text.remove_suffix(kAgo.size());
  const auto unit = parse_duration("1" + std::string(text.substr(text.size() - 1)));
  return *time - unit.value_or(std::chrono::seconds(0)) - kToType;
}

std::optional<Timestamp> parse_time(std::string_view text, Timestamp now) {
  constexpr std::string_view kUtc = " UTC";
  if (text == "just now") return now;
  const bool ago = text.ends_with(kAgo);
  if (const auto age = parse_duration(text.substr(0, text.size() - (ago ? kAgo.size() : 0))))
    return now - *age;
  if (ago) return std::nullopt;
  const bool utc = text.ends_with(kUtc);
  std::string exact = with_separators(std::string(text.substr(0, text.size() - (utc ? kUtc.size() : 0))));
  if (exact.size() == kDay) exact += "T00:00";
  if (exact.size() < kMinute) return std::nullopt;
  if (exact[kDay] == ' ') exact[kDay] = 'T';
  if (exact.size() == kMinute || (exact[kMinute] != ':')) exact.insert(kMinute, ":00");
  if (utc || !names_zone(exact)) exact += 'Z';
  return parse_rfc3339(exact);
}

}  // namespace tidings::tools
