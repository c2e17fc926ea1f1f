#include "redaction/personal_data.hpp"

#include "redaction/national_id.hpp"

#include <arpa/inet.h>

#include <array>

namespace tidings::logging {

namespace {

constexpr std::size_t kLongestNumber = 42;  // an IBAN in groups of four

constexpr bool in_mailbox(char c) noexcept {
  return is_alphanumeric(c) || std::string_view("._%+-'").find(c) != std::string_view::npos;
}

// Files, units and the like that look like addresses: `icon@2x.png`, `getty@tty1.service`.
bool is_no_domain(std::string_view last_label) noexcept {
  for (const std::string_view ending :
       {"png", "jpg", "jpeg", "gif", "svg", "webp", "service", "socket", "timer"}) {
    if (equal_ignoring_case(last_label, ending)) return true;
  }
  return last_label.size() < 2 || !std::all_of(last_label.begin(), last_label.end(), is_letter);
}

bool ends_number(const ScannedText& text, std::size_t end) noexcept {
  const char c = text.at(end);
  if (is_alphanumeric(c) || c == '_') return false;
  return (c != '.' && c != '-') || !is_alphanumeric(text.at(end + 1));
}

bool begins_number(const ScannedText& text, std::size_t begin) noexcept {
  const char c = text.before(begin);
  return !is_alphanumeric(c) && c != '_' && c != '.' && c != '-';
}

// `v1.2.3.4`, `version 1.2.3.4`.
bool is_version(const ScannedText& text, std::size_t begin) noexcept {
  const std::string_view before = text.slice(begin - std::min<std::size_t>(begin, 8), begin);
  return ends_ignoring_case(before, "version ") || ends_ignoring_case(before, "release ");
}

FoundRange ipv4_address(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kMostDigits = 3;
  std::size_t end = begin;
  int first = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && text.at(end++) != '.') return std::nullopt;
    const std::size_t from = end;
    end = text.run_end(from, kMostDigits, is_digit);
    int value = 0;
    for (const char c : text.slice(from, end)) value = value * 10 + (c - '0');
    if (end == from || value > 255) return std::nullopt;
    if (part == 0) first = value;
  }
  const bool someone = first != 0 && first != 127 && first != 255;  // else: any, this machine, all
  return someone && ends_number(text, end) && !is_version(text, begin) ? FoundRange(TextRange{begin, end})
                                                                       : std::nullopt;
}

// `+49 170 1234567`, `(202) 555-0143`, `202-555-0143`.
FoundRange phone_number(const ScannedText& text, std::size_t digit) noexcept {
  constexpr std::size_t kLongest = 24;
  constexpr std::size_t kLeastDigits = 8;
  constexpr std::size_t kMostDigits = 15;
  const bool international = text.before(digit) == '+' && text.at(digit) != '0';
  if (international && !is_alphanumeric(text.before(digit - 1))) {
    const auto belongs = [](char c) {
      return is_digit(c) || c == ' ' || c == '-' || c == '(' || c == ')' || c == '.';
    };
    std::size_t end = text.run_end(digit, kLongest, belongs);
    while (!is_digit(text.before(end))) --end;
    const std::string_view number = text.slice(digit, end);
    const auto digits = static_cast<std::size_t>(std::count_if(number.begin(), number.end(), is_digit));
    if (digits < kLeastDigits || digits > kMostDigits || !ends_number(text, end)) return std::nullopt;
    return TextRange{digit - 1, end};
  }
  const bool bracket = text.before(digit) == '(' && text.at(digit + 3) == ')';
  std::size_t at = digit + 3 + (bracket ? 1 : 0);
  if (text.at(at) == ' ' || text.at(at) == '-' || text.at(at) == '.') ++at;
  const auto has_digits = [&](std::size_t from, std::size_t count) {
    return text.run_end(from, count, is_digit) == from + count;
  };
  const bool north_american = text.at(digit) >= '2' && has_digits(digit, 3) && at > digit + 3 &&
                              text.at(at) >= '2' && has_digits(at, 3) && !is_digit(text.at(at + 3)) &&
                              has_digits(at + 4, 4) && ends_number(text, at + 8);
  const char joint = text.at(at + 3);
  if (!north_american || (joint != '-' && joint != ' ' && joint != '.')) return std::nullopt;
  return TextRange{bracket ? digit - 1 : digit, at + 8};
}

// Without the blanks between groups; as long as groups may go on.
struct Compact {
  std::array<char, kLongestNumber> text{};
  std::array<std::size_t, kLongestNumber> ends{};
  std::size_t size = 0;
  [[nodiscard]] std::string_view first(std::size_t count) const noexcept {
    return {text.data(), std::min(count, size)};
  }
};

Compact compacted(const ScannedText& text, std::size_t begin) noexcept {
  Compact compact;
  for (std::size_t at = begin; compact.size < kLongestNumber; ++at) {
    if (text.at(at) == ' ' && compact.size > 0 && text.before(at) != ' ') continue;
    if (!is_upper(text.at(at)) && !is_digit(text.at(at))) break;
    compact.text[compact.size] = text.at(at);
    compact.ends[compact.size++] = at + 1;
  }
  return compact;
}

template <class Is>
FoundRange longest_that(const ScannedText& text, const Compact& compact, std::size_t begin, std::size_t least,
                        std::size_t most, const Is& is) noexcept {
  for (std::size_t count = std::min(most, compact.size); count >= least; --count) {
    const std::size_t end = compact.ends[count - 1];
    if (ends_number(text, end) && is(compact.first(count))) return TextRange{begin, end};
  }
  return std::nullopt;
}

FoundRange national_number(const ScannedText& text, std::size_t digit) noexcept {
  constexpr std::size_t kSsn = 11;
  const std::size_t word = text.run_begin(digit, 2, is_upper);
  if (!begins_number(text, word)) return std::nullopt;
  if (word == digit && is_us_ssn(text.slice(digit, digit + kSsn)) && ends_number(text, digit + kSsn))
    return TextRange{digit, digit + kSsn};
  const Compact compact = compacted(text, word);
  if (word + 2 == digit) {
    if (const auto found = longest_that(text, compact, word, 15, 34, is_iban)) return found;
    return longest_that(text, compact, word, 9, 9, is_uk_nino);
  }
  if (const auto found = longest_that(text, compact, word, 9, 9, is_spanish_id)) return found;
  if (word != digit) return std::nullopt;
  const auto is_digits_id = [](std::string_view number) {
    return std::all_of(number.begin(), number.end(), is_digit) &&
           (is_french_nir(number) || is_german_tax_id(number) || is_polish_pesel(number));
  };
  return longest_that(text, compact, word, 11, 15, is_digits_id);
}

}  // namespace

FoundRange email_address(const ScannedText& text, std::size_t at_sign) noexcept {
  constexpr std::size_t kLongestMailbox = 64;
  constexpr std::size_t kLongestDomain = 253;
  const std::size_t begin = text.run_begin(at_sign, kLongestMailbox, in_mailbox);
  std::size_t end =
      text.run_end(at_sign + 1, kLongestDomain, [](char c) { return is_key_character(c) && c != '_'; });
  while (end > at_sign + 1 && !is_alphanumeric(text.before(end))) --end;
  const std::string_view domain = text.slice(at_sign + 1, end);
  const std::size_t dot = domain.rfind('.');
  if (begin == at_sign || dot == std::string_view::npos || dot == 0 || is_no_domain(domain.substr(dot + 1)))
    return std::nullopt;
  return text.slice(begin, at_sign) == "git" ? std::nullopt : FoundRange(TextRange{begin, end});
}

FoundRange ipv6_address(const ScannedText& text, std::size_t colon) noexcept {
  const auto belongs = [](char c) { return is_hex(c) || c == ':'; };
  const std::size_t begin = text.run_begin(colon, 4, is_hex);
  const std::size_t end = text.run_end(begin, INET6_ADDRSTRLEN, belongs);
  const std::string_view address = text.slice(begin, end);
  if (address.size() >= INET6_ADDRSTRLEN || !begins_number(text, begin) || text.before(begin) == ':' ||
      !ends_number(text, end) || std::none_of(address.begin(), address.end(), is_digit) || address == "::1") {
    return std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  address.copy(terminated.data(), address.size());
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, terminated.data(), &parsed) == 1 ? FoundRange(TextRange{begin, end})
                                                                : std::nullopt;
}

FoundRange personal_number(const ScannedText& text, std::size_t digit) noexcept {
  if (begins_number(text, digit)) {
    if (const auto found = ipv4_address(text, digit)) return found;
    if (const auto found = phone_number(text, digit)) return found;
  }
  return national_number(text, digit);
}

}  // namespace tidings::logging
