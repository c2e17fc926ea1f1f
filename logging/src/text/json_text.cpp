#include "text/json_text.hpp"

#include <tidings/detail/utf8.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace tidings::logging {

namespace {

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void append_unicode_escape(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::array<char, 6> escape = {'\\',
                                      'u',
                                      kDigits[unit >> 12U],
                                      kDigits[(unit >> 8U) & 0xfU],
                                      kDigits[(unit >> 4U) & 0xfU],
                                      kDigits[unit & 0xfU]};
  out.append(escape.data(), escape.size());
}

void append_escaped(std::string& out, char32_t code_point) {
  switch (code_point) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
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
  if (code_point < 0x10000) return append_unicode_escape(out, code_point);
  const std::uint32_t offset = code_point - 0x10000;
  append_unicode_escape(out, 0xd800U + (offset >> 10U));
  append_unicode_escape(out, 0xdc00U + (offset & 0x3ffU));
}

template <class Number>
std::string_view written(std::array<char, 32>& buffer, Number number) noexcept {
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data())};
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t run = at;
    while (at < text.size() && kPlain[static_cast<std::uint8_t>(text[at])]) ++at;
    out.append(text, run, at - run);
    if (at == text.size()) break;
    const tidings::detail::CodePoint character = tidings::detail::first_code_point(text.substr(at));
    append_escaped(out, character.value);
    at += character.length;
  }
  out.push_back('"');
}

void append_json_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 32> buffer;
  const std::string_view text = written(buffer, number);
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";  // stays a floating-point number when read
}

void append_json_number(std::string& out, std::int64_t number) {
  std::array<char, 32> buffer;
  out += written(buffer, number);
}

void append_json_number(std::string& out, std::uint64_t number) {
  std::array<char, 32> buffer;
  out += written(buffer, number);
}

}  // namespace tidings::logging
