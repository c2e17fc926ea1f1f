#include "redaction/worded_secret.hpp"

#include "redaction/secret_tables.hpp"
#include "redaction/secret_value.hpp"

#include <array>

namespace tidings::logging {

namespace {

constexpr std::size_t kAhead = 256;
constexpr std::size_t kLongestWord = 24;
constexpr std::size_t kSurelyToken = 20;

enum class Announces : std::uint8_t {
  Nothing,
  Bearer,
  Basic,
  Token,
  Key,
  CardCode,
  Password,
  Statement,
  Sql
};

struct Announcement {
  std::string_view text;
  Announces what;
};

constexpr std::array kWords = {
    Announcement{"bearer", Announces::Bearer},     Announcement{"basic", Announces::Basic},
    Announcement{"token", Announces::Token},       Announcement{"apikey", Announces::Key},
    Announcement{"api key", Announces::Key},       Announcement{"api_key", Announces::Key},
    Announcement{"api-key", Announces::Key},       Announcement{"access key", Announces::Key},
    Announcement{"secret key", Announces::Key},    Announcement{"client secret", Announces::Key},
    Announcement{"cvv", Announces::CardCode},      Announcement{"cvv2", Announces::CardCode},
    Announcement{"cvc", Announces::CardCode},      Announcement{"cvc2", Announces::CardCode},
    Announcement{"cvv code", Announces::CardCode}, Announcement{"cvc code", Announces::CardCode},
    Announcement{"password", Announces::Password}, Announcement{"passwd", Announces::Password},
    Announcement{"pwd", Announces::Password},      Announcement{"passphrase", Announces::Password},
    Announcement{"passcode", Announces::Password}, Announcement{"is", Announces::Statement},
    Announcement{"was", Announces::Statement},     Announcement{"identified by", Announces::Sql}};

// Most words are cleared by their last letter.
constexpr std::array<bool, 256> kLastLetters = [] {
  std::array<bool, 256> last{};
  for (const Announcement& word : kWords) {
    last[static_cast<unsigned char>(word.text.back())] = true;
    last[static_cast<unsigned char>(word.text.back() - ('a' - 'A'))] = true;
  }
  return last;
}();

// `GET /oauth/token HTTP/1.1`, `std.token x`.
constexpr bool is_in_path(char before) noexcept { return before == '/' || before == '.' || before == '\\'; }

const Announcement* word_before(const ScannedText& text, std::size_t end) noexcept {
  if (!kLastLetters[static_cast<unsigned char>(text.before(end))]) return nullptr;
  const std::string_view before = text.slice(end - std::min(end, kLongestWord), end);
  for (const Announcement& word : kWords) {
    const std::size_t begin = end - std::min(end, word.text.size());
    if (ends_ignoring_case(before, word.text) && text.begins_word(begin) && !is_in_path(text.before(begin)))
      return &word;
  }
  return nullptr;
}

// `unexpected token foo`: a parser's.
bool is_syntax(const ScannedText& text, std::size_t word_begin) noexcept {
  if (!is_blank(text.before(word_begin))) return false;
  const std::string_view before = text.slice(word_begin - std::min(word_begin, kLongestWord), word_begin - 1);
  return ends_ignoring_case(before, "unexpected") || ends_ignoring_case(before, "syntax") ||
         ends_ignoring_case(before, "next") || ends_ignoring_case(before, "lexer");
}

// Where a header's value, or a text in quotes, begins.
bool begins_value(const ScannedText& text, std::size_t word_begin) noexcept {
  if (word_begin == 0) return true;
  const char before = text.before(word_begin);
  return is_quote(before) || before == '=' || before == ':' ||
         (before == ' ' && (text.before(word_begin - 1) == ':' || text.before(word_begin - 1) == '='));
}

constexpr bool is_token_character(char c) noexcept {  // token68 of RFC 9110
  return is_key_character(c) || c == '~' || c == '+' || c == '/' || c == ':';
}

// token68 has `=` only at its end; in front of a quote it is the name of a parameter.
std::size_t token_end(const ScannedText& text, std::size_t begin, std::size_t limit) noexcept {
  const std::size_t token = text.run_end(begin, limit, is_token_character);
  const std::size_t end = text.run_end(token, limit, [](char c) { return c == '='; });
  if (end > token && (is_quote(text.at(end)) || is_key_character(text.at(end)))) return begin;
  return end;
}

int base64_value(char c) noexcept {
  constexpr int kLower = 26;
  constexpr int kDigits = 52;
  if (is_upper(c)) return c - 'A';
  if (is_letter(c)) return c - 'a' + kLower;
  if (is_digit(c)) return c - '0' + kDigits;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

// Basic credentials are the base64 of `user:password`.
bool decodes_to_login(std::string_view token) noexcept {
  unsigned bits = 0;
  int count = 0;
  for (const char c : token.substr(0, kAhead)) {
    const int value = base64_value(c);
    if (value < 0) return false;
    bits = (bits << 6U) | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    const auto decoded = static_cast<unsigned char>(bits >> static_cast<unsigned>(count));
    if (decoded == ':') return true;
    if (decoded < ' ') return false;
  }
  return false;
}

bool is_random(std::string_view token) noexcept {
  constexpr std::string_view kJoins = "-/._:";
  if (token.size() < kSurelyToken) return false;
  return token.find_first_of(kJoins) == std::string_view::npos ||
         std::any_of(token.begin(), token.end(), is_digit);
}

bool looks_like(Announces what, std::string_view token, bool value_begins) noexcept {
  constexpr std::size_t kLeastBearer = 6;
  constexpr std::size_t kLeastToken = 8;
  constexpr std::size_t kLeastInValue = 3;
  if (token.empty() || !is_alphanumeric(token.front()) || token.back() == ':' || token.ends_with("::"))
    return false;
  const std::string_view plain = without_punctuation(token);
  switch (what) {
    case Announces::Basic:
      return decodes_to_login(token);
    case Announces::Bearer:
      if (value_begins) return !plain.empty() && !says_no_secret(plain);
      return looks_secret(plain, kLeastBearer) || is_random(plain);
    default:
      return looks_secret(plain, value_begins ? kLeastInValue + 1 : kLeastToken) || is_random(plain);
  }
}

FoundRange token_after(const ScannedText& text, const Announcement& word, std::size_t blank) noexcept {
  const std::size_t word_begin = blank - word.text.size();
  const bool token_or_key = word.what == Announces::Token || word.what == Announces::Key;
  if (token_or_key && is_syntax(text, word_begin)) return std::nullopt;
  const std::size_t begin = blank + 1;
  if (token_or_key) {
    const auto quoted = quoted_value(ScannedText(text.slice(0, begin + kAhead)), begin);
    if (quoted && looks_secret(text.slice(*quoted), 8)) return quoted_value(text, begin);
  }
  const std::string_view looked = text.slice(begin, token_end(text, begin, kAhead));
  if (!looks_like(word.what, looked, begins_value(text, word_begin))) return std::nullopt;
  return TextRange{begin, token_end(text, begin, text.size())};
}

// `password hunter2`, `password 'hunter2'`, `password is hunter2`.
FoundRange password_after(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kLeast = 4;
  if (const auto quoted = quoted_value(ScannedText(text.slice(0, begin + kAhead)), begin)) {
    const std::string_view value = text.slice(*quoted);
    const bool word = value.find(' ') == std::string_view::npos;
    if (value.empty() || is_placeholder(value) || is_masked(value) || says_no_secret(value))
      return std::nullopt;
    return word || looks_secret(value, kLeast) ? quoted_value(text, begin) : std::nullopt;
  }
  const std::string_view looked = text.slice(begin, word_end(text, begin, kAhead));
  if (!looks_secret(looked, kLeast) || is_placeholder(looked)) return std::nullopt;
  return TextRange{begin, word_end(text, begin)};
}

// `CVV 123`: three or four digits and no more.
FoundRange card_code_after(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kLeast = 3;
  constexpr std::size_t kMost = 4;
  const std::size_t end = text.run_end(begin, kMost + 1, is_digit);
  const std::size_t digits = end - begin;
  const char next = text.at(end);
  const bool goes_on = is_key_character(next) || next == ':' || next == '/' || next == '%';
  const bool fraction = next == '.' && is_alphanumeric(text.at(end + 1));
  if (digits < kLeast || digits > kMost || (goes_on && next != '.') || fraction) return std::nullopt;
  return TextRange{begin, end};
}

// `IDENTIFIED BY 'x'`.
FoundRange statement_value(const ScannedText& text, std::size_t begin) noexcept {
  const auto quoted = quoted_value(text, begin);
  return quoted && quoted->begin < quoted->end ? quoted : std::nullopt;
}

}  // namespace

bool is_scheme(std::string_view word) noexcept {
  return equal_ignoring_case(word, "bearer") || equal_ignoring_case(word, "basic") ||
         equal_ignoring_case(word, "token") || equal_ignoring_case(word, "apikey") ||
         equal_ignoring_case(word, "digest") || equal_ignoring_case(word, "negotiate");
}

FoundRange secret_after_verb(const ScannedText& text, std::size_t verb, std::size_t begin) noexcept {
  if (!is_blank(text.before(verb))) return std::nullopt;
  const Announcement* subject = word_before(text, verb - 1);
  if (subject == nullptr || subject->what == Announces::Statement || subject->what == Announces::Sql)
    return std::nullopt;
  if (subject->what == Announces::CardCode) return card_code_after(text, begin);
  const auto found = password_after(text, begin);
  const bool short_is_enough = subject->what == Announces::Password || subject->what == Announces::Key;
  if (found && !short_is_enough && !looks_secret(text.slice(*found), 8)) return std::nullopt;
  return found;
}

FoundRange secret_after_word(const ScannedText& text, std::size_t blank) noexcept {
  const Announcement* const word = word_before(text, blank);
  if (word == nullptr) return std::nullopt;
  switch (word->what) {
    case Announces::Password:
      return password_after(text, blank + 1);
    case Announces::CardCode:
      return card_code_after(text, blank + 1);
    case Announces::Statement:
      return secret_after_verb(text, blank - word->text.size(), blank + 1);
    case Announces::Sql:
      return statement_value(text, blank + 1);
    default:
      return token_after(text, *word, blank);
  }
}

}  // namespace tidings::logging
