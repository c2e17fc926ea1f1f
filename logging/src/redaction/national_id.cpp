#include "redaction/national_id.hpp"

#include "text/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tidings::logging {

namespace {

bool all_digits(std::string_view text) noexcept { return std::all_of(text.begin(), text.end(), is_digit); }

int digit_at(std::string_view text, std::size_t index) noexcept { return text[index] - '0'; }

long long number_of(std::string_view digits) noexcept {
  long long number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return number;
}

// One digit stands there two or three times, and each other at most once.
bool repeats_one_digit(std::string_view digits) noexcept {
  std::array<int, 10> counts{};
  for (const char c : digits) ++counts[static_cast<std::size_t>(c - '0')];
  const auto repeated = std::count_if(counts.begin(), counts.end(), [](int count) { return count > 1; });
  return repeated == 1 && *std::max_element(counts.begin(), counts.end()) <= 3;
}

}  // namespace

bool is_us_ssn(std::string_view text) noexcept {
  if (text.size() != 11 || text[3] != text[6] || (text[3] != '-' && text[3] != ' ')) return false;
  const std::string_view area = text.substr(0, 3);
  const std::string_view group = text.substr(4, 2);
  const std::string_view serial = text.substr(7);
  if (!all_digits(area) || !all_digits(group) || !all_digits(serial)) return false;
  return area != "000" && area != "666" && area[0] != '9' && group != "00" && serial != "0000";
}

bool is_uk_nino(std::string_view text) noexcept {
  constexpr std::string_view kNeverFirst = "DFIQUV";
  constexpr std::string_view kNeverSecond = "DFIOQUV";
  if (text.size() != 9 || !is_upper(text[0]) || !is_upper(text[1]) || !all_digits(text.substr(2, 6)))
    return false;
  for (const std::string_view prefix : {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}) {
    if (text.starts_with(prefix)) return false;
  }
  return kNeverFirst.find(text[0]) == std::string_view::npos &&
         kNeverSecond.find(text[1]) == std::string_view::npos && text[8] >= 'A' && text[8] <= 'D';
}

bool is_german_tax_id(std::string_view digits) noexcept {
  if (digits.size() != 11 || digits[0] == '0' || !repeats_one_digit(digits.substr(0, 10))) return false;
  int product = 10;
  for (std::size_t index = 0; index < 10; ++index) {
    const int sum = (digit_at(digits, index) + product) % 10;
    product = (sum == 0 ? 10 : sum) * 2 % 11;
  }
  return (11 - product) % 10 == digit_at(digits, 10);
}

bool is_french_nir(std::string_view digits) noexcept {
  if (digits.size() != 15 || (digits[0] != '1' && digits[0] != '2')) return false;
  const long long month = number_of(digits.substr(3, 2));
  if (month < 1 || month > 12) return false;
  return 97 - number_of(digits.substr(0, 13)) % 97 == number_of(digits.substr(13));
}

bool is_polish_pesel(std::string_view digits) noexcept {
  constexpr std::array kWeights = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3};
  if (digits.size() != 11) return false;
  const long long month = number_of(digits.substr(2, 2)) % 20;
  const long long day = number_of(digits.substr(4, 2));
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  int sum = 0;
  for (std::size_t index = 0; index < kWeights.size(); ++index)
    sum += kWeights[index] * digit_at(digits, index);
  return (10 - sum % 10) % 10 == digit_at(digits, 10);
}

bool is_spanish_id(std::string_view text) noexcept {
  constexpr std::string_view kLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
  constexpr std::string_view kForeigners = "XYZ";
  if (text.size() != 9) return false;
  const std::size_t foreigner = kForeigners.find(text[0]);
  const std::string_view digits = foreigner == std::string_view::npos ? text.substr(0, 8) : text.substr(1, 7);
  if (!all_digits(digits)) return false;
  const long long offset =
      foreigner == std::string_view::npos ? 0 : static_cast<long long>(foreigner) * 10'000'000;
  return kLetters[static_cast<std::size_t>((offset + number_of(digits)) % 23)] == text[8];
}

bool is_iban(std::string_view text) noexcept {
  if (text.size() < 15 || text.size() > 34 || !is_upper(text[0]) || !is_upper(text[1])) return false;
  int remainder = 0;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char c = text[(index + 4) % text.size()];
    if (is_digit(c)) {
      remainder = (remainder * 10 + (c - '0')) % 97;
    } else if (is_upper(c)) {
      remainder = (remainder * 100 + (c - 'A' + 10)) % 97;
    } else {
      return false;
    }
  }
  return remainder == 1;
}

}  // namespace tidings::logging
