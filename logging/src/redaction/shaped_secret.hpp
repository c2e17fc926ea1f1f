#pragma once

#include "redaction/scanned_text.hpp"

namespace tidings::logging {

// Secrets that are known by what they look like, whatever stands before them.

/// At the anchor of a provider's prefix (`ghp_`, `AKIA`, `xoxb-` ...): the whole token.
[[nodiscard]] FoundRange provider_token(const ScannedText& text, std::size_t anchor) noexcept;
/// At the `J` of `eyJ`: a JSON Web Token of two parts or more.
[[nodiscard]] FoundRange web_token(const ScannedText& text, std::size_t anchor) noexcept;
/// At `-----BEGIN ... PRIVATE KEY-----`: what stands up to the end mark.
[[nodiscard]] FoundRange private_key(const ScannedText& text, std::size_t dash) noexcept;
/// At `://`: the password of `https://user:x@host`, a token in the user's place, and what follows a webhook's
/// address.
[[nodiscard]] FoundRange secret_in_url(const ScannedText& text, std::size_t colon) noexcept;
/// At `@`: the password of `user:x@host:5432/db` and `user:x@tcp(host)`, which have no scheme.
[[nodiscard]] FoundRange password_before_host(const ScannedText& text, std::size_t at_sign) noexcept;
/// At a digit: a payment card's number. `behind` becomes the end of the digits looked at.
[[nodiscard]] FoundRange card_number(const ScannedText& text, std::size_t digit,
                                     std::size_t& behind) noexcept;

}  // namespace tidings::logging
