#include "redaction/card_number.hpp"

#include <array>
#include <cstddef>

namespace tidings::logging {

namespace {

constexpr std::size_t kMinDigits = 13;
constexpr std::size_t kMaxDigits = 19;
constexpr std::size_t kMaxGroups = 5;

struct Digits {
  std::array<char, kMaxDigits> values{};
  std::size_t count = 0;
  std::array<std::size_t, kMaxGroups> groups{};  // lengths
  std::size_t group_count = 1;
  bool fits = true;
};

Digits split(std::string_view text) noexcept {
  Digits digits;
  for (const char c : text) {
    const bool separator = c < '0' || c > '9';
    if (separator ? digits.group_count == kMaxGroups : digits.count == kMaxDigits) {
      digits.fits = false;
      return digits;
    }
    if (separator) {
      ++digits.group_count;
    } else {
      digits.values[digits.count++] = static_cast<char>(c - '0');
      ++digits.groups[digits.group_count - 1];
    }
  }
  return digits;
}

bool usual_grouping(const Digits& digits) noexcept {
  if (digits.group_count == 1) return true;
  const auto& groups = digits.groups;
  if (groups[0] != 4) return false;
  if (digits.group_count == 3) return groups[1] == 6 && (groups[2] == 4 || groups[2] == 5);
  return digits.group_count >= 4 && groups[1] == 4 && groups[2] == 4 && groups[3] >= 1 && groups[3] <= 4 &&
         (digits.group_count == 4 || groups[4] <= 3);
}

// The issuers' ranges and the lengths of their numbers.
bool issuer_range(const Digits& digits) noexcept {
  const int two = digits.values[0] * 10 + digits.values[1];
  const int four = two * 100 + digits.values[2] * 10 + digits.values[3];
  const std::size_t count = digits.count;
  const auto within = [&](int first, int last) { return four >= first && four <= last; };
  if (two / 10 == 4) return count == 13 || count == 16 || count == 19;                 // Visa
  if (within(5100, 5599) || within(2221, 2720)) return count == 16;                    // Mastercard
  if (two == 34 || two == 37) return count == 15;                                      // American Express
  if (within(3000, 3059) || two == 36 || two == 38 || two == 39) return count >= 14;   // Diners Club
  if (within(3528, 3589) || within(2200, 2204)) return count >= 16;                    // JCB, Mir
  if (four == 6011 || within(6440, 6599) || two == 62) return count >= 16;             // Discover, UnionPay
  return two == 50 || within(5600, 5899) || within(6300, 6399) || within(6700, 6799);  // Maestro
}

bool luhn(const Digits& digits) noexcept {
  int sum = 0;
  for (std::size_t index = 0; index < digits.count; ++index) {
    int value = static_cast<unsigned char>(digits.values[digits.count - 1 - index]);
    if (index % 2 == 1) value = value > 4 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

}  // namespace

bool is_card_number(std::string_view text) noexcept {
  const Digits digits = split(text);
  return digits.fits && digits.count >= kMinDigits && usual_grouping(digits) && issuer_range(digits) &&
         luhn(digits);
}

}  // namespace tidings::logging
