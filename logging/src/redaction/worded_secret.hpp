#pragma once

#include "redaction/scanned_text.hpp"

namespace tidings::logging {

/// `Bearer`, `Basic`, `Token`, `ApiKey`, `Digest`: how a credential in an HTTP header begins.
[[nodiscard]] bool is_scheme(std::string_view word) noexcept;

/// At a blank: what follows a word that announces a secret. `Bearer x`, `Token x`, `with password hunter2`,
/// `password is x`, `API key x`, `IDENTIFIED BY 'x'`.
[[nodiscard]] FoundRange secret_after_word(const ScannedText& text, std::size_t blank) noexcept;
/// The same where `is` or `was` stands at `verb`, for what begins at `begin`: `password is: x`, too.
[[nodiscard]] FoundRange secret_after_verb(const ScannedText& text, std::size_t verb,
                                           std::size_t begin) noexcept;

}  // namespace tidings::logging
