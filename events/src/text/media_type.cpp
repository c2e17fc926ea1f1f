#include "text/media_type.hpp"

#include <cstddef>

namespace tidings::detail {
namespace {

constexpr bool is_token_character(char c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool skip(std::string_view& text, char expected) noexcept {
  if (text.empty() || text[0] != expected) return false;
  text.remove_prefix(1);
  return true;
}

bool skip_token(std::string_view& text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_token_character(text[length])) ++length;
  text.remove_prefix(length);
  return length > 0;
}

bool skip_quoted_string(std::string_view& text) noexcept {
  if (!skip(text, '"')) return false;
  while (!text.empty() && text[0] != '"') {
    if (text[0] == '\\') text.remove_prefix(1);
    if (text.empty()) return false;
    text.remove_prefix(1);
  }
  return skip(text, '"');
}

void skip_spaces(std::string_view& text) noexcept {
  while (skip(text, ' ')) {
  }
}

bool skip_parameter(std::string_view& text) noexcept {
  skip_spaces(text);
  if (!skip(text, ';')) return false;
  skip_spaces(text);
  if (!skip_token(text) || !skip(text, '=')) return false;
  return text.starts_with('"') ? skip_quoted_string(text) : skip_token(text);
}

}  // namespace

bool is_media_type(std::string_view text) noexcept {
  if (!skip_token(text) || !skip(text, '/') || !skip_token(text)) return false;
  while (!text.empty()) {
    if (!skip_parameter(text)) return false;
  }
  return true;
}

}  // namespace tidings::detail
