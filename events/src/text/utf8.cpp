#include <tidings/detail/utf8.hpp>

#include <cstdint>
#include <cstring>

namespace tidings::detail {
namespace {

struct LeadByte {
  std::size_t length;
  char32_t bits;
  // Bounds of the second byte, which keep out overlong forms, surrogates and what lies above U+10FFFF.
  std::uint8_t second_low;
  std::uint8_t second_high;
};

LeadByte classify(std::uint8_t byte) noexcept {
  if (byte < 0x80) return {1, byte, 0, 0};
  if (byte < 0xC2) return {0, 0, 0, 0};
  if (byte < 0xE0) return {2, byte & 0x1FU, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0xD, 0x80, 0x9F};
  if (byte < 0xF0) return {3, byte & 0xFU, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0, 0x90, 0xBF};
  if (byte < 0xF4) return {4, byte & 0x7U, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 4, 0x80, 0x8F};
  return {0, 0, 0, 0};
}

bool starts_with_eight_ascii(std::string_view text) noexcept {
  if (text.size() < 8) return false;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, text.data(), 8);
  return (bytes & 0x8080808080808080ULL) == 0;
}

}  // namespace

CodePoint first_code_point(std::string_view text) noexcept {
  if (text.empty()) return {};
  const LeadByte lead = classify(static_cast<std::uint8_t>(text[0]));
  if (lead.length == 0) return {.length = 1};
  CodePoint result{lead.bits, lead.length, true};
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {.length = i};
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t low = i == 1 ? lead.second_low : std::uint8_t{0x80};
    const std::uint8_t high = i == 1 ? lead.second_high : std::uint8_t{0xBF};
    if (byte < low || byte > high) return {.length = i};
    result.value = (result.value << 6U) | (byte & 0x3FU);
  }
  return result;
}

bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    if (starts_with_eight_ascii(text)) {
      text.remove_prefix(8);
      continue;
    }
    const CodePoint next = first_code_point(text);
    if (!next.valid) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

}  // namespace tidings::detail
