#include "sending/retry_after.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <ctime>
#include <string>

namespace tidings::telemetry {
namespace {

/// The longest date is `Wednesday, 09-Sep-2026 08:49:37 GMT`.
constexpr std::size_t kLongestDate = 40;

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::chrono::milliseconds limited(std::chrono::seconds wait) noexcept {
  const auto most = std::chrono::duration_cast<std::chrono::seconds>(kLongestRetryAfter);
  return std::clamp(wait, std::chrono::seconds::zero(), most);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, Timestamp now) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  if (is_digits(text)) {
    // More digits are more than the most that is waited.
    const std::chrono::seconds seconds(text.size() > 9 ? 999'999'999 : std::stoll(std::string(text)));
    return limited(seconds);
  }
  // curl reads other forms, too; a date of HTTP's begins with a weekday.
  const bool weekday = (text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z');
  if (!weekday || text.size() > kLongestDate) return std::nullopt;
  const std::time_t date = ::curl_getdate(std::string(text).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const std::chrono::seconds now_seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch();
  return limited(std::chrono::seconds(date) - now_seconds);
}

}  // namespace tidings::telemetry
