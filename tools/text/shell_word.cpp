#include "text/shell_word.hpp"

#include <algorithm>
#include <cstdint>

namespace tidings::tools {

std::string shell_word(std::string_view text) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:@+,";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) return std::string(text);
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string shell_word_of_text(std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '|'; });
  if (plain) return shell_word(text);
  std::string format;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '/' || c == '.' || c == '-' || c == '_';
    if (fits) {
      format += c;
    } else {
      format += '\\';
      for (const unsigned shift : {6U, 3U, 0U}) format += static_cast<char>('0' + (byte >> shift & 7U));
    }
  }
  return "\"$(printf -- '" + format + "')\"";
}

}  // namespace tidings::tools
