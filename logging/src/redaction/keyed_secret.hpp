#pragma once

#include "redaction/scanned_text.hpp"

#include <tidings/logging/redactor.hpp>

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

}  // namespace tidings::logging
