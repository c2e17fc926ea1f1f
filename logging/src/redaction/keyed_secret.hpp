#pragma once

#include "redaction/scanned_text.hpp"

#include <tidings/logging/redactor.hpp>

#include <optional>
#include <string_view>

namespace tidings::logging {

// Secrets that are known by the name that stands before them.

/// At `=`, `:`, `->` or what stands for them in a URL (`%3D`): `password=x`, `"token": "x"`, `API key: x`,
/// `?sig=x`, and `"value": "x"` beside `"name": "password"`.
[[nodiscard]] FoundRange secret_after_separator(const ScannedText& text, std::size_t separator,
                                                const Redactor& redactor) noexcept;
/// At `>`: `<password>x</password>`.
[[nodiscard]] FoundRange secret_in_element(const ScannedText& text, std::size_t close,
                                           const Redactor& redactor) noexcept;
/// At `,`: `[b'Token', b'2c59...']`, `("x-api-key", "...")`.
[[nodiscard]] FoundRange secret_in_pair(const ScannedText& text, std::size_t comma,
                                        const Redactor& redactor) noexcept;
/// At `-`: `--password x`, `-u user:x`.
[[nodiscard]] FoundRange secret_of_option(const ScannedText& text, std::size_t dash,
                                          const Redactor& redactor) noexcept;

/// Says which members of one JSON object must not be visible: because of their keys, or of a name beside
/// them, as in `{"name": "password", "value": "x"}`. True, false and null hide nothing. The name is looked
/// for once, so that all members together take linear time. The redactor and the object must outlive it.
class DeniedMembers {
 public:
  DeniedMembers(const Redactor& redactor, const Json& object) noexcept
      : redactor_(redactor), object_(object) {}

  [[nodiscard]] bool have(std::string_view key, const Json& value) noexcept;

 private:
  [[nodiscard]] bool name_secret() const noexcept;

  const Redactor& redactor_;
  const Json& object_;
  std::optional<bool> name_secret_;  // once it was asked for
};

}  // namespace tidings::logging
