#pragma once

#include <algorithm>
#include <string_view>

namespace tidings::logging {

// ASCII only, whatever the locale.

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
[[nodiscard]] constexpr char lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
}
/// `lower_text` is in small letters.
[[nodiscard]] inline bool equal_ignoring_case(std::string_view text, std::string_view lower_text) noexcept {
  return std::equal(text.begin(), text.end(), lower_text.begin(), lower_text.end(),
                    [](char left, char right) { return lower(left) == right; });
}

}  // namespace tidings::logging
