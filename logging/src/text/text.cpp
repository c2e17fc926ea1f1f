#include <tidings/logging/text.hpp>

#include "text/utf8.hpp"

#include <tidings/detail/utf8.hpp>

namespace tidings::logging {

namespace {

constexpr bool is_control(char32_t code_point) noexcept {
  return (code_point < 0x20 && code_point != '\n' && code_point != '\t') ||
         (code_point >= 0x7f && code_point < 0xa0);
}

void append_hex_escape(std::string& out, char32_t code_point) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\x";
  out.push_back(kDigits[code_point >> 4U]);
  out.push_back(kDigits[code_point & 0xfU]);
}

}  // namespace

std::string sanitize_text(std::string_view text, std::size_t max_bytes) {
  std::string clean;
  clean.reserve(text.size() < max_bytes ? text.size() : max_bytes);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = clean.size();
    const tidings::detail::CodePoint character = tidings::detail::first_code_point(text.substr(at));
    if (is_control(character.value)) {
      append_hex_escape(clean, character.value);
    } else {
      append_utf8(clean, character.value);
    }
    if (clean.size() > max_bytes) {
      clean.resize(before);
      append_cut_note(clean, text.size());
      return clean;
    }
    at += character.length;
  }
  return clean;
}

}  // namespace tidings::logging
