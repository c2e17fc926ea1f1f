#pragma once

#include "redaction/scanned_text.hpp"

namespace tidings::logging {

// What RedactionProfile::PersonalData masks besides secrets. Each looks a bounded way back and ahead.

/// At `@`: the whole address.
[[nodiscard]] FoundRange email_address(const ScannedText& text, std::size_t at_sign) noexcept;
/// At `:`: an IPv6 address.
[[nodiscard]] FoundRange ipv6_address(const ScannedText& text, std::size_t colon) noexcept;
/// At the first digit of a group: an IPv4 address, a telephone number, a bank account (IBAN), or one of the
/// national numbers that national_id.hpp knows.
[[nodiscard]] FoundRange personal_number(const ScannedText& text, std::size_t digit) noexcept;

}  // namespace tidings::logging
