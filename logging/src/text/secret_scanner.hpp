#pragma once

#include <tidings/logging/redactor.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace tidings::logging {

/// A part of a text: from `begin` up to, not including, `end`.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Finds what must be masked in running text, from left to right, in linear time.
class SecretScanner {
 public:
  SecretScanner(std::string_view text, const Redactor& redactor) noexcept
      : text_(text), redactor_(redactor) {}

  /// The next secret; ranges neither overlap nor touch text before an earlier one's end.
  [[nodiscard]] std::optional<TextRange> next() noexcept;

 private:
  using Found = std::optional<TextRange>;

  [[nodiscard]] Found look_at(std::size_t at) noexcept;
  [[nodiscard]] Found password_in_url(std::size_t colon) const noexcept;
  [[nodiscard]] Found value_of_denied_key(std::size_t separator) const noexcept;
  [[nodiscard]] std::string_view key_before(std::size_t separator) const noexcept;
  [[nodiscard]] std::size_t value_after(std::size_t separator) const noexcept;
  [[nodiscard]] TextRange value_at(std::size_t begin) const noexcept;
  [[nodiscard]] std::size_t quoted_end(std::size_t quote) const noexcept;
  [[nodiscard]] std::size_t bracket_end(std::size_t bracket) const noexcept;
  [[nodiscard]] std::size_t word_end(std::size_t begin) const noexcept;
  [[nodiscard]] std::size_t line_end(std::size_t begin) const noexcept;
  [[nodiscard]] Found token_after_scheme(std::size_t space) const noexcept;
  [[nodiscard]] Found private_key(std::size_t dash) const noexcept;
  [[nodiscard]] Found card_number(std::size_t digit) noexcept;
  [[nodiscard]] std::size_t group_end(std::size_t digit) const noexcept;
  [[nodiscard]] char at(std::size_t index) const noexcept {
    return index < text_.size() ? text_[index] : '\0';
  }

  std::string_view text_;
  const Redactor& redactor_;
  std::size_t position_ = 0;
  std::size_t masked_to_ = 0;
};

}  // namespace tidings::logging
