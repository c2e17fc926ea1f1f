#include "text/attribute_text.hpp"

#include <tidings/detail/utf8.hpp>
#include <tidings/metadata.hpp>

#include <algorithm>

namespace tidings::detail {
namespace {

bool is_control(char32_t c) noexcept { return c < 0x20 || (c >= 0x7F && c <= 0x9F); }

bool is_noncharacter(char32_t c) noexcept { return (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFEU) == 0xFFFE; }

}  // namespace

bool is_attribute_text(std::string_view text) noexcept {
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    if (!next.valid || is_control(next.value) || is_noncharacter(next.value)) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

bool is_attribute_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

}  // namespace tidings::detail

namespace tidings {

bool is_foreign_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxForeignId && detail::is_attribute_text(text);
}

}  // namespace tidings
