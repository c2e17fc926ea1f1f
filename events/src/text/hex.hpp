#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidings::detail {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// The value of a lowercase hexadecimal digit, or -1.
[[nodiscard]] constexpr int lowercase_hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

inline constexpr std::array<std::int8_t, 256> kHexValues = [] {
  std::array<std::int8_t, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const char c = static_cast<char>(i);
    values[i] = static_cast<std::int8_t>(
        lowercase_hex_value(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c));
  }
  return values;
}();

/// The value of a hexadecimal digit in either case, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept { return kHexValues[static_cast<unsigned char>(c)]; }

/// Writes two lowercase digits a byte.
inline void write_hex(const std::uint8_t* bytes, std::size_t count, char* out) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    *out++ = kHexDigits[bytes[i] >> 4U];
    *out++ = kHexDigits[bytes[i] & 15U];
  }
}

/// Reads two lowercase digits a byte; false at anything else. `text` holds at least 2 * count characters.
[[nodiscard]] inline bool read_lowercase_hex(const char* text, std::uint8_t* bytes,
                                             std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const int high = lowercase_hex_value(text[2 * i]);
    const int low = lowercase_hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace tidings::detail
