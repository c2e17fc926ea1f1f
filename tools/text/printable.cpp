#include "text/printable.hpp"

#include <cstdint>

namespace tidings::tools {
namespace {

constexpr char kHex[] = "0123456789abcdef";

/// One code point and the bytes it took; length 0: the first byte begins no valid UTF-8.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;
};

std::uint8_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<std::uint8_t>(text[index]);
}

std::size_t sequence_length(std::uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint decode(std::string_view text) {
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const std::size_t length = sequence_length(byte_at(text, 0));
  if (length <= 1) return {byte_at(text, 0), length};
  if (length > text.size()) return {};
  std::uint32_t value = byte_at(text, 0) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0U) != 0x80U) return {};
    value = (value << 6U) | (byte_at(text, i) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) return {};
  return {value, length};
}

bool between(std::uint32_t value, std::uint32_t first, std::uint32_t last) {
  return value >= first && value <= last;
}

/// Controls, invisible and reordering characters, line separators.
bool must_escape(std::uint32_t value) {
  return value < 0x20 || between(value, 0x7f, 0x9f) || value == 0xad || value == 0x61c ||
         between(value, 0x200b, 0x200f) || between(value, 0x2028, 0x202e) || between(value, 0x2060, 0x206f) ||
         value == 0xfeff || between(value, 0xfff0, 0xfffb) || between(value, 0xe0000, 0xe0fff);
}

void append_hex(std::string& out, std::uint32_t value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out += kHex[(value >> static_cast<unsigned>(shift)) & 0xfU];
}

void append_escape(std::string& out, std::uint32_t value) {
  switch (value) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const bool byte = value < 0x100;
  const int wide_digits = value > 0xffff ? 8 : 4;
  out += byte ? "\\x" : (wide_digits == 8 ? "\\U" : "\\u");
  append_hex(out, value, byte ? 2 : wide_digits);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    const std::size_t length = point.length == 0 ? 1 : point.length;
    if (point.length == 0) {
      append_escape(out, byte_at(text, 0));
    } else if (must_escape(point.value)) {
      append_escape(out, point.value);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string printable(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return printable(text);
  std::size_t end = limit;
  while (end > 0 && (byte_at(text, end) & 0xc0U) == 0x80U) --end;
  return printable(text.substr(0, end)) + "...";
}

}  // namespace tidings::tools
