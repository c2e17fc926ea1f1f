#include "redaction/shaped_secret.hpp"

#include "redaction/card_number.hpp"
#include "redaction/secret_tables.hpp"
#include "redaction/secret_value.hpp"

namespace tidings::logging {

namespace {

constexpr bool is_word(char c) noexcept { return is_alphanumeric(c) || c == '_' || c == '-'; }

bool fits_token(TokenCharacters characters, char c) noexcept {
  switch (characters) {
    case TokenCharacters::AlphaNumeric:
      return is_alphanumeric(c);
    case TokenCharacters::Upper:
      return is_upper(c) || is_digit(c);
    case TokenCharacters::Hex:
      return is_hex(c);
    case TokenCharacters::Crypt:
      return is_alphanumeric(c) || c == '.' || c == '/' || c == '$' || c == '=' || c == ',' || c == '+';
    case TokenCharacters::Word:
      break;
  }
  return is_word(c) || c == '.';
}

// The longest run that may be part of the token is masked, even where the shape would end earlier.
FoundRange token_of(const ScannedText& text, std::size_t begin, const TokenShape& shape) noexcept {
  if (begin < text.floor() || !text.begins_word(begin)) return std::nullopt;
  const std::size_t from = begin + shape.prefix.size();
  const auto fits = [&](char c) { return fits_token(shape.characters, c); };
  if (text.run_end(from, shape.length, fits) < from + shape.length) return std::nullopt;
  const auto takes = [&](char c) { return fits(c) || is_word(c); };
  std::size_t end = text.run_end(from, text.size(), takes);
  while (text.before(end) == '.' || text.before(end) == ',') --end;
  return TextRange{begin, end};
}

std::size_t digits_end(const ScannedText& text, std::size_t digit) noexcept {
  return text.run_end(digit, text.size(), is_digit);
}

constexpr bool joins_groups(char c) noexcept { return c == ' ' || c == '-' || c == '+'; }

// `user:p#ss@host`: nothing but a port may follow a colon before the path.
bool is_port(std::string_view after_colon) noexcept {
  return std::all_of(after_colon.begin(), after_colon.end(), is_digit);
}

struct Authority {
  std::size_t end;
  std::size_t at_sign;
};

Authority authority_of(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kLongest = 512;
  const std::size_t end = text.find_first_of("/?# \t\r\n\"'<>\\", begin);
  const std::string_view authority = text.slice(begin, end);
  const std::size_t at_sign = authority.rfind('@');
  if (at_sign != std::string_view::npos) return {end, begin + at_sign};
  const std::size_t colon = authority.find(':');
  if (colon == std::string_view::npos || is_port(authority.substr(colon + 1)))
    return {end, std::string_view::npos};
  const std::size_t farther =
      text.run_end(end, kLongest, [](char c) { return c > ' ' && !is_quote(c) && c != '@' && c != '\\'; });
  return {end, text.at(farther) == '@' ? farther : std::string_view::npos};
}

FoundRange webhook_path(const ScannedText& text, std::size_t begin) noexcept {
  for (const std::string_view path : secret_paths()) {
    if (!text.continues_with(begin, path)) continue;
    const std::size_t secret = begin + path.size();
    const std::size_t end = text.find_first_of("?# \t\r\n\"'<>\\),;", secret);
    if (end > secret) return TextRange{secret, end};
  }
  return std::nullopt;
}

bool begins_address(std::string_view user) noexcept {
  for (const std::string_view scheme : {"mailto", "to", "from", "cc", "bcc", "acct", "sip", "sips", "xmpp",
                                        "email", "mail", "user", "by", "im", "http", "https"}) {
    if (equal_ignoring_case(user, scheme)) return true;
  }
  return false;
}

bool host_follows(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kLongestHost = 255;
  if (text.continues_with(begin, "tcp(") || text.continues_with(begin, "unix(")) return true;
  const std::size_t end = text.run_end(begin, kLongestHost, is_key_character);
  return end > begin && ((text.at(end) == ':' && is_digit(text.at(end + 1))) || text.at(end) == '/');
}

}  // namespace

FoundRange provider_token(const ScannedText& text, std::size_t anchor) noexcept {
  constexpr std::size_t kShortest = 10;
  if (anchor == 0 || anchor + kShortest >= text.size()) return std::nullopt;
  const char last = text.at(anchor - 1);
  for (const TokenShape& shape : token_shapes(text.at(anchor))) {
    const std::size_t before = text.at(anchor) == 'I' ? shape.prefix.find('I') : shape.prefix.size() - 1;
    if (shape.prefix[before - 1] != last || before > anchor ||
        !text.continues_with(anchor - before, shape.prefix)) {
      continue;
    }
    if (const auto found = token_of(text, anchor - before, shape)) return found;
  }
  return std::nullopt;
}

FoundRange web_token(const ScannedText& text, std::size_t anchor) noexcept {
  constexpr std::size_t kLeastPart = 10;
  if (anchor < 2 || !text.continues_with(anchor - 2, "ey")) return std::nullopt;
  const std::size_t begin = anchor - 2;
  if (begin < text.floor() || !text.begins_word(begin)) return std::nullopt;
  if (text.before(begin) == '_' || text.before(begin) == '-') return std::nullopt;
  const std::size_t header = text.run_end(begin, text.size(), is_word);
  if (header - begin < kLeastPart || text.at(header) != '.') return std::nullopt;
  const std::size_t payload = text.run_end(header + 1, text.size(), is_word);
  const bool encrypted = payload == header + 1 && text.at(payload) == '.';  // "dir" has no key of its own
  if (!encrypted && payload - header <= kLeastPart) return std::nullopt;
  std::size_t end = text.run_end(payload, text.size(), [](char c) { return is_word(c) || c == '.'; });
  while (text.before(end) == '.') --end;
  return TextRange{begin, end};
}

FoundRange private_key(const ScannedText& text, std::size_t dash) noexcept {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kKey = "PRIVATE KEY";
  constexpr std::size_t kLongestKind = 32;  // "ENCRYPTED ", "OPENSSH " ...
  if (!text.continues_with(dash, kBegin)) return std::nullopt;
  const std::size_t kind = dash + kBegin.size();
  const std::size_t key = text.slice(kind, kind + kLongestKind + kKey.size()).find(kKey);
  if (key == std::string_view::npos) return std::nullopt;
  std::size_t begin = kind + key + kKey.size();
  if (text.continues_with(begin, " BLOCK")) begin += 6;  // PGP
  if (!text.continues_with(begin, "-----")) return std::nullopt;
  begin += 5;
  const std::size_t end = text.find("-----END", begin);
  return begin < end ? FoundRange(TextRange{begin, end}) : std::nullopt;
}

FoundRange secret_in_url(const ScannedText& text, std::size_t colon) noexcept {
  constexpr std::size_t kLeastToken = 16;
  if (!is_key_character(text.before(colon))) return std::nullopt;
  const std::size_t begin = colon + 3;
  const Authority authority = authority_of(text, begin);
  if (authority.at_sign == std::string_view::npos) return webhook_path(text, begin);
  const std::string_view login = text.slice(begin, authority.at_sign);
  const std::size_t password = login.find(':');
  if (password == std::string_view::npos) {
    return looks_secret(login, kLeastToken) ? FoundRange(TextRange{begin, authority.at_sign}) : std::nullopt;
  }
  if (password + 1 == login.size() || is_placeholder(login.substr(password + 1))) return std::nullopt;
  return TextRange{begin + password + 1, authority.at_sign};
}

FoundRange password_before_host(const ScannedText& text, std::size_t at_sign) noexcept {
  constexpr std::size_t kLongestPart = 64;
  const auto in_password = [](char c) { return c > ' ' && !is_quote(c) && c != ':' && c != '/' && c != '@'; };
  const std::size_t password = text.run_begin(at_sign, kLongestPart, in_password);
  if (password == at_sign || text.before(password) != ':' || !host_follows(text, at_sign + 1))
    return std::nullopt;
  const std::size_t user = text.run_begin(password - 1, kLongestPart, is_key_character);
  const std::string_view name = text.slice(user, password - 1);
  if (name.empty() || begins_address(name) || is_placeholder(text.slice(password, at_sign)))
    return std::nullopt;
  return TextRange{password, at_sign};
}

// Tries what begins at this group of digits, alone and with up to four more groups.
FoundRange card_number(const ScannedText& text, std::size_t digit, std::size_t& behind) noexcept {
  constexpr int kMostGroups = 5;
  constexpr std::size_t kLeastText = 13;
  constexpr std::size_t kLongestText = 23;  // 19 digits in five groups
  constexpr std::size_t kShortestGroup = 4;
  const char before = text.before(digit);
  std::size_t end = digits_end(text, digit);
  behind = end;
  if (end - digit < kShortestGroup || is_letter(before) || before == '_' || before == '.')
    return std::nullopt;
  FoundRange longest;
  for (int groups = 1; groups <= kMostGroups; ++groups, end = digits_end(text, end + 1)) {
    if (end - digit >= kLeastText && !is_letter(text.at(end)) && text.at(end) != '_' &&
        is_card_number(text.slice(digit, end))) {
      longest = TextRange{digit, end};
    }
    if (end - digit > kLongestText || !joins_groups(text.at(end)) || !is_digit(text.at(end + 1))) break;
  }
  return longest;
}

}  // namespace tidings::logging
