#pragma once

#include <string_view>

namespace tidings::logging {

/// Whether digits, written in groups as they stand on a card (`4111 1111 1111 1111`, `378282246310005`), look
/// like a payment card's number: 13 to 19 digits, a known issuer range, a usual grouping, and the Luhn check
/// (ISO/IEC 7812-1). `text` holds digits and single separators (space or `-`) only.
[[nodiscard]] bool is_card_number(std::string_view text) noexcept;

}  // namespace tidings::logging
