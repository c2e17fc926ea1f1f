#include "text/printable.hpp"

#include <tidings/detail/utf8.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace tidings::tools {
namespace {

constexpr char kHex[] = "0123456789abcdef";

struct CodePoints {
  std::uint32_t first;
  std::uint32_t last;
};

/// Controls, line separators, and what Unicode 15 calls Default_Ignorable_Code_Point or Cf: characters that
/// are invisible, or reorder others.
constexpr CodePoints kEscaped[] = {
    {0x0, 0x1f},        {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
    {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

bool must_escape(std::uint32_t value) {
  return std::any_of(std::begin(kEscaped), std::end(kEscaped), [value](const CodePoints& range) {
    return value >= range.first && value <= range.last;
  });
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
