#include "check_dead_letters/range.hpp"

#include "text/duration.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace tidings::check_dead_letters {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<double> parse_seconds(std::string_view text) {
  if (const auto duration = tools::parse_duration(text)) return static_cast<double>(duration->count());
  return parse_number(text);
}

std::string number_text(double number) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number == 0 ? 0.0 : number,
                                    std::chars_format::fixed);
  // A tiny fraction can need hundreds of digits: it rounds to what a metric can show.
  if (result.ec != std::errc{}) return std::to_string(number);
  return std::string(buffer.data(), result.ptr);
}

}  // namespace

std::optional<Range> Range::parse(std::string_view text) { return parse_with(text, parse_number); }
std::optional<Range> Range::parse_age(std::string_view text) { return parse_with(text, parse_seconds); }

std::optional<Range> Range::parse_with(std::string_view text, BoundParser parse_bound) {
  const bool inside = text.starts_with('@');
  if (inside) text.remove_prefix(1);
  std::optional<double> start = 0.0;
  std::optional<double> end = kInfinity;
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view lower = text.substr(0, colon);
    if (!lower.empty()) start = lower == "~" ? -kInfinity : parse_bound(lower);
    text.remove_prefix(colon + 1);
  }
  if (colon == std::string_view::npos || !text.empty()) end = parse_bound(text);
  if (!start || !end || *start > *end) return std::nullopt;
  return Range(*start, *end, inside);
}

bool Range::alerts(double value) const noexcept {
  const bool within = start_ <= value && value <= end_;
  return within == inside_;
}

std::string Range::to_string() const {
  std::string text = inside_ ? "@" : "";
  const bool open_end = end_ == kInfinity;
  if (start_ == -kInfinity) {
    text += "~:";
  } else if (start_ != 0 || open_end) {
    text += number_text(start_) + ":";
  }
  return open_end ? text : text + number_text(end_);
}

}  // namespace tidings::check_dead_letters
