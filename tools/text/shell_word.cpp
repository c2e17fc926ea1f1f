#include "text/shell_word.hpp"

#include "text/printable.hpp"

#include <algorithm>
#include <cstdint>

namespace tidings::tools {

namespace {

constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:@+,";

/// Has the shell make the bytes, so that the word can be shown and pasted.
std::string printed_by_shell(std::string_view text) {
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

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) return std::string(text);
  if (printable(text) != text) return printed_by_shell(text);
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
  return plain ? shell_word(text) : printed_by_shell(text);
}

}  // namespace tidings::tools
