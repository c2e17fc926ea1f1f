#pragma once

#include <cstddef>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// The beginning of a text: one code point of well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no
/// surrogates, no value above U+10FFFF). If it is not `valid`, it is an ill-formed sequence: a "maximal
/// subpart" as Unicode (chapter 3, "U+FFFD Substitution of Maximal Subparts") defines it, so that the result
/// has as many U+FFFD as with nlohmann and browsers.
struct CodePoint {
  char32_t value = U'\uFFFD';
  /// In bytes; 0 only for an empty text.
  std::size_t length = 0;
  bool valid = false;
};

[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace tidings::detail
