#pragma once

#include "text/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace tidings::logging {

/// A part of a text: from `begin` up to, not including, `end`.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};
using FoundRange = std::optional<TextRange>;

constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alphanumeric(char c) noexcept { return is_letter(c) || is_digit(c); }
constexpr bool is_key_character(char c) noexcept {
  return is_alphanumeric(c) || c == '_' || c == '-' || c == '.';
}
constexpr bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_quote(char c) noexcept { return c == '"' || c == '\''; }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr bool is_line_end(char c) noexcept { return c == '\r' || c == '\n'; }

[[nodiscard]] inline bool ends_ignoring_case(std::string_view text, std::string_view lower_end) noexcept {
  return text.size() >= lower_end.size() &&
         equal_ignoring_case(text.substr(text.size() - lower_end.size()), lower_end);
}

/// A text that is being searched from left to right. What stands before `floor` has been masked already.
class ScannedText {
 public:
  explicit ScannedText(std::string_view text) noexcept : text_(text) {}

  [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }
  [[nodiscard]] std::size_t floor() const noexcept { return floor_; }
  void raise_floor(std::size_t floor) noexcept { floor_ = floor; }
  /// NUL outside of the text.
  [[nodiscard]] char at(std::size_t index) const noexcept {
    return index < text_.size() ? text_[index] : '\0';
  }
  [[nodiscard]] char before(std::size_t index) const noexcept { return index == 0 ? '\0' : at(index - 1); }
  [[nodiscard]] std::string_view slice(std::size_t begin, std::size_t end) const noexcept {
    return text_.substr(std::min(begin, text_.size()), end > begin ? end - begin : 0);
  }
  [[nodiscard]] std::string_view slice(TextRange range) const noexcept {
    return slice(range.begin, range.end);
  }
  [[nodiscard]] bool continues_with(std::size_t at, std::string_view part) const noexcept {
    return slice(at, at + part.size()) == part;
  }
  [[nodiscard]] std::size_t find(std::string_view part, std::size_t from) const noexcept {
    return std::min(text_.find(part, from), text_.size());
  }
  [[nodiscard]] std::size_t find_first_of(std::string_view set, std::size_t from) const noexcept {
    return std::min(text_.find_first_of(set, from), text_.size());
  }
  /// The first index from `from` on whose character `belongs` refuses; at most `limit` further.
  template <class Belongs>
  [[nodiscard]] std::size_t run_end(std::size_t from, std::size_t limit,
                                    const Belongs& belongs) const noexcept {
    const std::size_t last = std::min(text_.size(), from + std::min(limit, text_.size()));
    while (from < last && belongs(text_[from])) ++from;
    return from;
  }
  /// Where the run begins whose last character stands before `end`; at most `limit` back, and never below the
  /// floor.
  template <class Belongs>
  [[nodiscard]] std::size_t run_begin(std::size_t end, std::size_t limit,
                                      const Belongs& belongs) const noexcept {
    const std::size_t first = std::max(std::min(floor_, end), end - std::min(end, limit));
    while (end > first && belongs(text_[end - 1])) --end;
    return end;
  }
  [[nodiscard]] std::size_t skip_blanks(std::size_t from) const noexcept {
    while (from < text_.size() && is_blank(text_[from])) ++from;
    return from;
  }
  /// Whether a word can begin here: after no letter or digit, or after the escape of a line end or of a
  /// character in a URL.
  [[nodiscard]] bool begins_word(std::size_t index) const noexcept {
    const char last = before(index);
    if (!is_alphanumeric(last)) return true;
    if (index >= 2 && text_[index - 2] == '\\') return last == 'n' || last == 'r' || last == 't';
    return index >= 3 && text_[index - 3] == '%' && is_hex(text_[index - 2]) && is_hex(last);
  }

 private:
  std::string_view text_;
  std::size_t floor_ = 0;
};

}  // namespace tidings::logging
