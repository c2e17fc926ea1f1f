#include "text/secret_scanner.hpp"

#include "text/ascii.hpp"
#include "text/card_number.hpp"

#include <algorithm>
#include <array>

namespace tidings::logging {

namespace {

constexpr std::size_t kMaxKeyLength = 64;
constexpr std::size_t kMinCardText = 13;
constexpr std::size_t kMaxCardText = 23;  // 19 digits in five groups
constexpr std::size_t kMinTokenLength = 8;
constexpr std::size_t kSurelyTokenLength = 20;

constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_key_character(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}
constexpr bool is_quote(char c) noexcept { return c == '"' || c == '\''; }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr bool is_token_character(char c) noexcept {  // token68 of RFC 9110
  return is_key_character(c) || c == '~' || c == '+' || c == '/' || c == '=';
}
constexpr bool ends_word(char c) noexcept {
  constexpr std::string_view kEnds(" \t\r\n\0&;,)]}\"'<>", 15);
  return kEnds.find(c) != std::string_view::npos;
}

// The characters at which a secret can be recognised; all others are passed over.
constexpr std::array<bool, 256> kTriggers = [] {
  std::array<bool, 256> triggers{};
  for (const char c : std::string_view("=: -0123456789")) triggers[static_cast<unsigned char>(c)] = true;
  return triggers;
}();

bool ends_ignoring_case(std::string_view text, std::string_view lower_end) noexcept {
  return text.size() >= lower_end.size() &&
         equal_ignoring_case(text.substr(text.size() - lower_end.size()), lower_end);
}

// Headers whose value is the rest of the line: `Authorization: Digest username="x", ...`.
bool takes_whole_line(std::string_view key) noexcept {
  return ends_ignoring_case(key, "authorization") || ends_ignoring_case(key, "cookie");
}

bool looks_random(std::string_view token) noexcept {
  if (token.size() >= kSurelyTokenLength) return true;
  return token.size() >= kMinTokenLength && !std::all_of(token.begin(), token.end(), is_letter);
}

}  // namespace

std::optional<TextRange> SecretScanner::next() noexcept {
  for (; position_ < text_.size(); ++position_) {
    if (!kTriggers[static_cast<unsigned char>(text_[position_])]) continue;
    const Found found = look_at(position_);
    if (!found) continue;
    position_ = found->end;
    masked_to_ = found->end;
    return found;
  }
  return std::nullopt;
}

SecretScanner::Found SecretScanner::look_at(std::size_t at) noexcept {
  switch (text_[at]) {
    case ':':
      if (text_.substr(at, 3) == "://") return password_in_url(at);
      return value_of_denied_key(at);
    case '=':
      return value_of_denied_key(at);
    case ' ':
      return token_after_scheme(at);
    case '-':
      return private_key(at);
    default:
      return card_number(at);
  }
}

SecretScanner::Found SecretScanner::password_in_url(std::size_t colon) const noexcept {
  if (colon == 0 || !is_key_character(text_[colon - 1])) return std::nullopt;
  const std::size_t begin = colon + 3;
  const std::size_t end = std::min(text_.find_first_of("/?# \t\r\n\"'<>\\", begin), text_.size());
  const std::string_view authority = text_.substr(begin, end - begin);
  const std::size_t at_sign = authority.rfind('@');
  const std::size_t password = authority.find(':');
  if (at_sign == std::string_view::npos || password >= at_sign || password + 1 == at_sign)
    return std::nullopt;
  return TextRange{begin + password + 1, begin + at_sign};
}

SecretScanner::Found SecretScanner::value_of_denied_key(std::size_t separator) const noexcept {
  if (text_[separator] == ':' && at(separator + 1) == ':') return std::nullopt;  // C++ names: token::kind
  const std::string_view key = key_before(separator);
  if (key.empty() || !redactor_.denies(key)) return std::nullopt;
  const std::size_t begin = value_after(separator);
  if (begin == text_.size() || text_[begin] == '\r' || text_[begin] == '\n') return std::nullopt;
  const bool quoted = is_quote(text_[begin]) || (text_[begin] == '\\' && is_quote(at(begin + 1)));
  const TextRange value =
      takes_whole_line(key) && !quoted ? TextRange{begin, line_end(begin)} : value_at(begin);
  return value.begin < value.end ? Found(value) : std::nullopt;
}

std::string_view SecretScanner::key_before(std::size_t separator) const noexcept {
  std::size_t end = separator;
  const std::size_t floor = std::max(masked_to_, separator - std::min(separator, kMaxKeyLength + 6));
  while (end > floor && is_blank(text_[end - 1])) --end;
  if (end > floor && is_quote(text_[end - 1])) --end;
  if (end > floor && text_[end - 1] == '\\') --end;
  std::size_t begin = end;
  while (begin > floor && is_key_character(text_[begin - 1])) --begin;
  return text_.substr(begin, end - begin);
}

std::size_t SecretScanner::value_after(std::size_t separator) const noexcept {
  std::size_t begin = separator + 1;
  while (begin < text_.size() && (text_[begin] == '=' || text_[begin] == '>')) ++begin;  // ==, =>, :=
  while (begin < text_.size() && is_blank(text_[begin])) ++begin;
  return begin;
}

TextRange SecretScanner::value_at(std::size_t begin) const noexcept {
  std::size_t quote = begin;
  if (text_[quote] == '\\') ++quote;
  if (is_quote(at(quote))) return {quote + 1, quoted_end(quote)};
  if (text_[begin] == '[' || text_[begin] == '{') return {begin, bracket_end(begin)};
  const std::size_t end = word_end(begin);
  const std::string_view word = text_.substr(begin, end - begin);
  const bool scheme = equal_ignoring_case(word, "bearer") || equal_ignoring_case(word, "basic");
  if (scheme && at(end) == ' ') return {begin, word_end(end + 1)};
  return {begin, end};
}

// Up to the closing quote; JSON inside JSON closes with \" instead. Without one, everything is taken for the
// secret.
std::size_t SecretScanner::quoted_end(std::size_t quote) const noexcept {
  const bool escaped = quote > 0 && text_[quote - 1] == '\\';
  for (std::size_t index = quote + 1; index < text_.size(); ++index) {
    if (escaped && text_[index] == '\\' && at(index + 1) == text_[quote]) return index;
    if (!escaped && text_[index] == '\\') {
      ++index;
    } else if (!escaped && text_[index] == text_[quote]) {
      return index;
    }
  }
  return text_.size();
}

std::size_t SecretScanner::bracket_end(std::size_t bracket) const noexcept {
  std::size_t depth = 0;
  for (std::size_t index = bracket; index < text_.size(); ++index) {
    const char c = text_[index];
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) return index + 1;
  }
  return text_.size();
}

std::size_t SecretScanner::word_end(std::size_t begin) const noexcept {
  std::size_t end = begin;
  while (end < text_.size() && !ends_word(text_[end])) ++end;
  return end;
}

std::size_t SecretScanner::line_end(std::size_t begin) const noexcept {
  return std::min(text_.find_first_of("\r\n", begin), text_.size());
}

SecretScanner::Found SecretScanner::token_after_scheme(std::size_t space) const noexcept {
  const std::string_view before = text_.substr(0, space);
  if (!ends_ignoring_case(before, "bearer") && !ends_ignoring_case(before, "basic")) return std::nullopt;
  std::size_t end = space + 1;
  while (end < text_.size() && is_token_character(text_[end])) ++end;
  if (!looks_random(text_.substr(space + 1, end - space - 1))) return std::nullopt;
  return TextRange{space + 1, end};
}

SecretScanner::Found SecretScanner::private_key(std::size_t dash) const noexcept {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kKey = "PRIVATE KEY-----";
  constexpr std::size_t kMaxKind = 32;  // "ENCRYPTED ", "OPENSSH " ...
  if (text_.substr(dash, kBegin.size()) != kBegin) return std::nullopt;
  const std::size_t kind = dash + kBegin.size();
  const std::size_t key = text_.substr(kind, kMaxKind + kKey.size()).find(kKey);
  if (key == std::string_view::npos) return std::nullopt;
  const std::size_t begin = kind + key + kKey.size();
  return TextRange{begin, std::min(text_.find("-----END", begin), text_.size())};
}

// Tries what begins at this group of digits, alone and with up to four more groups, then moves behind it.
SecretScanner::Found SecretScanner::card_number(std::size_t digit) noexcept {
  constexpr int kMostGroups = 5;
  const char before = digit == 0 ? ' ' : text_[digit - 1];
  std::size_t end = group_end(digit);
  position_ = end - 1;
  if (is_letter(before) || before == '_' || before == '.') return std::nullopt;
  Found longest;
  for (int groups = 1; groups <= kMostGroups; ++groups, end = group_end(end + 1)) {
    if (end - digit >= kMinCardText && !is_letter(at(end)) && at(end) != '_' &&
        is_card_number(text_.substr(digit, end - digit))) {
      longest = TextRange{digit, end};
    }
    if (end - digit > kMaxCardText || (at(end) != ' ' && at(end) != '-') || !is_digit(at(end + 1))) break;
  }
  return longest;
}

std::size_t SecretScanner::group_end(std::size_t digit) const noexcept {
  std::size_t end = digit;
  while (is_digit(at(end))) ++end;
  return end;
}

}  // namespace tidings::logging
