#include "text/duration.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace tidings::tools {
namespace {

struct Unit {
  char letter;
  std::int64_t seconds;
};

constexpr std::array<Unit, 5> kUnits{{{'w', 604'800}, {'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}}};
constexpr std::size_t kDays = 1;
constexpr std::size_t kMinutes = 3;

/// Where `letter` stands in kUnits, not before `from`.
std::optional<std::size_t> find_unit(char letter, std::size_t from) {
  for (std::size_t i = from; i < kUnits.size(); ++i) {
    if (kUnits[i].letter == letter) return i;
  }
  return std::nullopt;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the number at the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > kLongestDuration.count()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number || text.empty()) return std::nullopt;
    const auto unit = find_unit(text.front(), next_unit);
    if (!unit) return std::nullopt;
    total += *number * kUnits[*unit].seconds;
    if (total > kLongestDuration.count()) return std::nullopt;
    next_unit = *unit + 1;
    text.remove_prefix(1);
  }
  return std::chrono::seconds(total);
}

std::string exact_duration(std::chrono::seconds duration) {
  std::string text;
  std::int64_t rest = duration.count();
  for (std::size_t i = kDays; i < kUnits.size(); ++i) {
    const std::int64_t number = rest / kUnits[i].seconds;
    rest %= kUnits[i].seconds;
    if (number != 0) text += std::to_string(number) + kUnits[i].letter;
  }
  return text.empty() ? "0s" : text;
}

std::string readable_duration(std::chrono::seconds duration) {
  const std::int64_t seconds = duration.count();
  for (std::size_t i = kDays; i < kUnits.size(); ++i) {
    if (seconds < kUnits[i].seconds) continue;
    const bool two_units = i < kMinutes;
    const std::int64_t step = kUnits[two_units ? i + 1 : i].seconds;
    return exact_duration(std::chrono::seconds(seconds / step * step));
  }
  return "0s";
}

}  // namespace tidings::tools
