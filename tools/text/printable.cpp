#include "text/printable.hpp"

#include <tidings/detail/utf8.hpp>

#include <cstdint>

namespace tidings::tools {
namespace {

constexpr char kHex[] = "0123456789abcdef";

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
    const detail::CodePoint point = detail::first_code_point(text);
    const std::string_view bytes = text.substr(0, point.length);
    if (!point.valid) {
      for (const char byte : bytes) append_escape(out, static_cast<std::uint8_t>(byte));
    } else if (must_escape(point.value)) {
      append_escape(out, point.value);
    } else {
      out += bytes;
    }
    text.remove_prefix(point.length);
  }
  return out;
}

std::string printable(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return printable(text);
  std::size_t end = limit;
  while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xc0U) == 0x80U) --end;
  return printable(text.substr(0, end)) + "...";
}

}  // namespace tidings::tools
