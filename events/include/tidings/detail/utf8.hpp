#pragma once

#include <cstddef>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// One code point at the start of a text. `length` is 0 where the text does not begin with well-formed UTF-8
/// (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};

[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace tidings::detail
