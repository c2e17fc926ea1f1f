#pragma once

#include "redaction/scanned_text.hpp"

#include <tidings/logging/redactor.hpp>

#include <cstddef>
#include <string_view>

namespace tidings::logging {

/// Finds what must be masked in running text, from left to right, in linear time: each finder looks a bounded
/// way back and ahead, and beyond that only through what it masks.
class SecretScanner {
 public:
  SecretScanner(std::string_view text, const Redactor& redactor) noexcept
      : text_(text), redactor_(redactor), personal_(redactor.profile() == RedactionProfile::PersonalData) {}

  /// The next secret; ranges neither overlap nor touch text before an earlier one's end.
  [[nodiscard]] FoundRange next() noexcept;

 private:
  [[nodiscard]] FoundRange look_at(std::size_t at) noexcept;
  [[nodiscard]] FoundRange look_for_person(std::size_t at) const noexcept;
  [[nodiscard]] FoundRange at_colon(std::size_t at) const noexcept;
  [[nodiscard]] FoundRange at_dash(std::size_t at) const noexcept;
  [[nodiscard]] FoundRange at_digit(std::size_t at) noexcept;

  ScannedText text_;
  const Redactor& redactor_;
  bool personal_;
  std::size_t position_ = 0;
};

}  // namespace tidings::logging
