#pragma once

#include <string_view>

namespace tidings::logging {

// Whether a text has the form of a national number, and passes its check. `digits` are digits only.

/// USA, social security number: `078-05-1120`.
[[nodiscard]] bool is_us_ssn(std::string_view text) noexcept;
/// United Kingdom, national insurance number: `AB123456C`, without blanks.
[[nodiscard]] bool is_uk_nino(std::string_view text) noexcept;
/// Germany, Steuer-Identifikationsnummer: 11 digits, the last by ISO 7064 MOD 11,10.
[[nodiscard]] bool is_german_tax_id(std::string_view digits) noexcept;
/// France, numéro d'inscription au répertoire: 15 digits, the last two by MOD 97.
[[nodiscard]] bool is_french_nir(std::string_view digits) noexcept;
/// Poland, PESEL: 11 digits that begin with a date, the last a weighted sum.
[[nodiscard]] bool is_polish_pesel(std::string_view digits) noexcept;
/// Spain, DNI and NIE: `12345678Z`, `X1234567L`; the letter by MOD 23.
[[nodiscard]] bool is_spanish_id(std::string_view text) noexcept;
/// An international bank account number without blanks, its check digits by ISO 7064 MOD 97-10.
[[nodiscard]] bool is_iban(std::string_view text) noexcept;

}  // namespace tidings::logging
