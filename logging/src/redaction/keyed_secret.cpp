#include "redaction/keyed_secret.hpp"

#include "redaction/secret_tables.hpp"
#include "redaction/secret_value.hpp"
#include "redaction/worded_secret.hpp"

#include <string>

namespace tidings::logging {

namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kSiblingDistance = 160;
constexpr std::size_t kLooksRandom = 10;
constexpr std::size_t kSurelySignature = 32;

FoundRange unless_empty(TextRange range) noexcept {
  return range.begin < range.end ? FoundRange(range) : std::nullopt;
}

// Headers whose value is the rest of the line: `Authorization: Digest username="x", ...`.
bool takes_whole_line(std::string_view key) noexcept {
  return ends_ignoring_case(key, "authorization") || ends_ignoring_case(key, "cookie") ||
         ends_ignoring_case(key, "passphrase") || ends_ignoring_case(key, "mnemonic");
}

// Also the name of a part of a program: `auth: login failed`.
bool is_topic(std::string_view key) noexcept { return ends_ignoring_case(key, "auth"); }

// `2 cookies`, `passwords: 3`: a number of them.
bool counts(std::string_view key, std::string_view word) noexcept {
  constexpr std::size_t kMostDigits = 6;
  return lower(key.back()) == 's' && word.size() <= kMostDigits &&
         std::all_of(word.begin(), word.end(), is_digit);
}

// Whether what an unquoted value begins with hides nothing.
bool reveals_nothing(std::string_view key, std::string_view word, char separator) noexcept {
  const std::string_view plain = without_punctuation(word);
  if (is_empty_value(plain) || is_placeholder(plain) || is_masked(plain) || counts(key, plain)) return true;
  if (plain.ends_with("()") || (is_topic(key) && says_no_secret(plain))) return true;
  return separator != '=' && (says_no_secret(plain) || (is_topic(key) && !looks_secret(plain, 4)));
}

// `get()` and `${NAME}` with the bracket at their end.
std::string_view word_with_bracket(const ScannedText& text, std::size_t begin) noexcept {
  const std::size_t end = word_end(text, begin, kLongestName + 1);
  const std::string_view word = text.slice(begin, end);
  const char opening = text.at(end) == ')' ? '(' : text.at(end) == '}' ? '{' : '\0';
  return opening != '\0' && word.find(opening) != std::string_view::npos ? text.slice(begin, end + 1) : word;
}

// The word that says whether an unquoted value hides something: after the scheme, if it begins with one.
std::string_view telling_word(const ScannedText& text, std::size_t begin) noexcept {
  const std::string_view word = word_with_bracket(text, begin);
  const std::size_t end = begin + word.size();
  return is_blank(text.at(end)) && is_scheme(word) ? word_with_bracket(text, text.skip_blanks(end)) : word;
}

// `a=b; c=d`, after `cookie=`.
std::size_t cookies_end(const ScannedText& text, std::size_t end) noexcept {
  while (text.at(end) == ';') {
    const std::size_t next = text.skip_blanks(end + 1);
    const std::size_t name_end = text.run_end(next, kLongestName, is_key_character);
    if (name_end == next || text.at(name_end) != '=') break;
    end = word_end(text, name_end + 1);
  }
  return end;
}

std::size_t unquoted_end(const ScannedText& text, std::string_view key, std::size_t begin,
                         char separator) noexcept {
  if (takes_whole_line(key) && separator == ':') return line_end(text, begin);
  const std::size_t end = word_end(text, begin);
  if (is_blank(text.at(end)) && is_scheme(text.slice(begin, end))) return word_end(text, end + 1);
  return ends_ignoring_case(key, "cookie") ? cookies_end(text, end) : end;
}

// YAML's `password: |`, whose value stands on the lines below, further to the right.
std::size_t block_end(const ScannedText& text, std::size_t begin) noexcept {
  std::size_t end = line_end(text, begin);
  while (is_line_end(text.at(end)) && is_blank(text.at(end + 1))) end = line_end(text, end + 1);
  return end;
}

// A placeholder, what has been masked, and a parser's `';'`.
bool hides_nothing(std::string_view value) noexcept {
  constexpr std::size_t kLongestSign = 3;
  return is_placeholder(value) || is_masked(value) ||
         (value.size() <= kLongestSign && std::none_of(value.begin(), value.end(), is_alphanumeric));
}

// Whether the value, in quotes, brackets or neither, begins as what has been masked. Looks no further than
// that: where the end of such a value is missing, to look for it again and again would take quadratic time.
bool begins_masked(const ScannedText& text, std::size_t begin) noexcept {
  const ScannedText nearby(text.slice(0, begin + kLongestName));
  const auto quoted = quoted_value(nearby, begin);
  return nearby.slice(quoted.value_or(TextRange{begin, nearby.size()})).starts_with(kMasked);
}

FoundRange value_of(const ScannedText& text, std::string_view key, std::size_t begin,
                    char separator) noexcept {
  if (begins_masked(text, begin)) return std::nullopt;
  if (const auto quoted = quoted_value(text, begin)) {
    const std::string_view value = text.slice(*quoted);
    return hides_nothing(value) ? std::nullopt : unless_empty(*quoted);
  }
  const char first = text.at(begin);
  if (first == '[' || first == '{') {
    const TextRange bracket{begin, bracket_end(text, begin)};
    return hides_nothing(text.slice(bracket)) ? std::nullopt : FoundRange(bracket);
  }
  if ((first == '|' || first == '>') && separator == ':')
    return unless_empty({begin, block_end(text, begin)});
  if (reveals_nothing(key, telling_word(text, begin), separator)) return std::nullopt;
  return unless_empty({begin, unquoted_end(text, key, begin, separator)});
}

// The key as it is denied, perhaps with the words before it: `API key`, `credit card number`.
std::string_view denied_key(const ScannedText& text, std::string_view key, std::size_t key_end,
                            const Redactor& redactor) noexcept {
  constexpr int kMoreWords = 2;
  if (redactor.denies(key)) return key;
  std::size_t begin = key_end - key.size();
  for (int word = 0; word < kMoreWords && text.before(begin) == ' '; ++word) {
    const std::size_t longer = text.run_begin(begin - 1, kLongestName, is_key_character);
    if (longer == begin - 1 || key_end - longer > kLongestName) break;
    begin = longer;
    if (redactor.denies(text.slice(begin, key_end))) return text.slice(begin, key_end);
  }
  return {};
}

bool may_end_longer_key(std::string_view key) noexcept {
  constexpr std::string_view kEnds = "key keys code codes card number header phrase answer address id";
  constexpr std::size_t kLongest = 7;
  if (key.size() < 2 || key.size() > kLongest) return false;
  for (std::size_t begin = 0; begin < kEnds.size();) {
    const std::size_t end = std::min(kEnds.find(' ', begin), kEnds.size());
    if (equal_ignoring_case(key, kEnds.substr(begin, end - begin))) return true;
    begin = end + 1;
  }
  return false;
}

// Where a value begins after `:`, `=`, `==`, `=>`, `:=`, `->`, and `%3D`.
std::size_t value_begin(const ScannedText& text, std::size_t separator) noexcept {
  constexpr std::size_t kEscapeLength = 3;
  if (text.at(separator) == '%') return separator + kEscapeLength;
  std::size_t begin = separator + 1;
  while (text.at(begin) == '=' || text.at(begin) == '>') ++begin;
  return text.skip_blanks(begin);
}

// JSON may break the line before a value.
std::size_t behind_line_end(const ScannedText& text, std::size_t separator, std::size_t begin) noexcept {
  constexpr std::size_t kMostBlanks = 64;
  if (!is_line_end(text.at(begin))) return begin;
  if (!is_quote(text.before(text.run_begin(separator, kMostBlanks, is_blank)))) return begin;
  const std::size_t next =
      text.run_end(begin, kMostBlanks, [](char c) { return is_blank(c) || is_line_end(c); });
  return is_quote(text.at(next)) ? next : begin;
}

// `password is: x`.
bool is_verb(std::string_view key) noexcept {
  return equal_ignoring_case(key, "is") || equal_ignoring_case(key, "was");
}

// `%22` is a quote, in a URL.
FoundRange encoded_value(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::string_view kQuote = "%22";
  const bool quoted = text.continues_with(begin, kQuote);
  const std::size_t from = quoted ? begin + kQuote.size() : begin;
  std::size_t end = from;
  while (end < text.size() && text.at(end) != '&' && text.at(end) != '"' && text.at(end) != '\'' &&
         !is_blank(text.at(end)) && !is_line_end(text.at(end)) && !text.continues_with(end, "%26") &&
         !text.continues_with(end, kQuote)) {
    ++end;
  }
  return unless_empty({from, end});
}

bool in_query(const ScannedText& text, std::size_t key_begin) noexcept {
  const char before = text.before(key_begin);
  return before == '?' || before == '&' || before == ';' || before == '#';
}

FoundRange value_in_query(const ScannedText& text, std::string_view key, std::size_t key_begin,
                          std::size_t begin) noexcept {
  constexpr std::size_t kLooked = 256;
  const TextRange looked{begin, word_end(text, begin, kLooked)};
  const bool grants =
      in_query(text, key_begin)
          ? signs_url(key) || (may_grant_access(key) && looks_secret(text.slice(looked), kLooksRandom))
          : signs_url(key) && looks_secret(text.slice(looked), kSurelySignature);
  if (!grants || hides_nothing(text.slice(looked))) return std::nullopt;
  return unless_empty({begin, word_end(text, begin)});
}

// The name in `"name": "password"` whose separator is given.
std::string_view name_after(const ScannedText& text, std::size_t separator) noexcept {
  const ScannedText nearby(text.slice(0, separator + kLongestName + kLongestName));
  const auto quoted = quoted_value(nearby, value_begin(text, separator));
  return quoted && quoted->end - quoted->begin <= kLongestName ? text.slice(*quoted) : std::string_view();
}

// Whether `"name": "password"` stands between the two, which lie in the same object.
bool names_secret(const ScannedText& text, std::size_t begin, std::size_t end,
                  const Redactor& redactor) noexcept {
  for (std::size_t at = begin; at < end; ++at) {
    const char c = text.at(at);
    if (c != ':' && c != '=') continue;
    if (is_name_member(key_before(text, at)) && redactor.denies(name_after(text, at))) return true;
  }
  return false;
}

constexpr bool stays_in_object(char c) noexcept {
  return c != '{' && c != '}' && c != '<' && c != '>' && c != '[' && c != ']';
}

// {"name": "password", "value": "x"}, in this order or the other; <add key="password" value="x"/>.
FoundRange value_beside_name(const ScannedText& text, std::size_t separator, std::size_t begin,
                             const Redactor& redactor) noexcept {
  constexpr std::size_t kLongestValue = 4096;
  const ScannedText nearby(text.slice(0, begin + kLongestValue));
  auto value = quoted_value(nearby, begin);
  if (!value) {
    const bool number = is_digit(text.at(begin)) || text.at(begin) == '-';
    if (!number) return std::nullopt;
    value = TextRange{begin, word_end(nearby, begin)};
  }
  ScannedText whole = text;
  whole.raise_floor(0);  // names are read, not masked
  const std::size_t object = whole.run_begin(separator, kSiblingDistance, stays_in_object);
  const std::size_t rest = whole.run_end(value->end, kSiblingDistance, stays_in_object);
  const bool named =
      names_secret(whole, object, separator, redactor) || names_secret(whole, value->end, rest, redactor);
  if (!named) return std::nullopt;
  if (value->end == nearby.size() && nearby.size() < text.size()) value = quoted_value(text, begin);
  return unless_empty(*value);
}

}  // namespace

FoundRange secret_after_separator(const ScannedText& text, std::size_t separator,
                                  const Redactor& redactor) noexcept {
  const bool quoted_in_url = text.at(separator) == '%' && text.slice(0, separator).ends_with("%22");
  const std::string_view key = key_before(text, quoted_in_url ? separator - 3 : separator);
  if (key.empty()) return std::nullopt;
  const std::size_t begin = behind_line_end(text, separator, value_begin(text, separator));
  if (begin >= text.size() || is_line_end(text.at(begin))) return std::nullopt;
  const std::size_t key_end = static_cast<std::size_t>(key.data() - text.slice(0, 0).data()) + key.size();
  if (is_verb(key)) return secret_after_verb(text, key_end - key.size(), begin);
  const std::string_view denied = may_end_longer_key(key) ? denied_key(text, key, key_end, redactor)
                                  : redactor.denies(key)  ? key
                                                          : std::string_view();
  const char sign = text.at(separator);
  if (!denied.empty()) return sign == '%' ? encoded_value(text, begin) : value_of(text, denied, begin, sign);
  if (sign == '=' && (signs_url(key) || may_grant_access(key))) {
    if (const auto found = value_in_query(text, key, key_end - key.size(), begin)) return found;
  }
  if (sign != '%' && is_value_member(key)) return value_beside_name(text, separator, begin, redactor);
  return std::nullopt;
}

FoundRange secret_in_element(const ScannedText& text, std::size_t close, const Redactor& redactor) noexcept {
  constexpr std::size_t kLongestTag = 128;
  const std::size_t tag = text.run_begin(close, kLongestTag, [](char c) { return c != '<' && c != '>'; });
  if (text.before(tag) != '<') return std::nullopt;
  const auto belongs = [](char c) { return is_key_character(c) || c == ':'; };
  std::string_view name = text.slice(tag, text.run_end(tag, kLongestName, belongs));
  name.remove_prefix(std::min(name.find(':') + 1, name.size()));  // the namespace, if there is one
  if (name.empty() || text.before(close) == '/' || !redactor.denies(name)) return std::nullopt;
  const TextRange content{close + 1, text.find("<", close + 1)};
  const std::string_view value = text.slice(content);
  return is_placeholder(value) || is_empty_value(value) ? std::nullopt : unless_empty(content);
}

FoundRange secret_in_pair(const ScannedText& text, std::size_t comma, const Redactor& redactor) noexcept {
  constexpr std::size_t kLeast = 4;
  constexpr std::size_t kLeastCredential = 6;
  constexpr std::size_t kLooked = 256;
  if (!is_quote(text.before(comma))) return std::nullopt;
  const std::string_view key = key_before(text, comma);
  if (key.empty() || !(is_scheme(key) || redactor.denies(key))) return std::nullopt;
  const std::size_t begin = text.skip_blanks(comma + 1);
  const auto looked = quoted_value(ScannedText(text.slice(0, begin + kLooked)), begin);
  if (!looked) return std::nullopt;
  const std::string_view value = text.slice(*looked);
  const bool credential = is_upper(key.front()) && is_scheme(key) && value.size() >= kLeastCredential &&
                          !is_scheme(value) && !says_no_secret(value);
  return credential || looks_secret(value, kLeast) ? quoted_value(text, begin) : std::nullopt;
}

FoundRange secret_of_option(const ScannedText& text, std::size_t dash, const Redactor& redactor) noexcept {
  const char before = text.before(dash);
  if (before != '\0' && !is_blank(before) && !is_quote(before) && !is_line_end(before)) return std::nullopt;
  const std::size_t end = text.run_end(dash, kLongestName, is_key_character);
  std::string_view name = text.slice(dash, end);
  while (name.starts_with('-')) name.remove_prefix(1);
  const std::size_t begin = text.skip_blanks(end);
  if (name.empty() || begin == end || text.at(begin) == '-') return std::nullopt;
  if (name == "u" || name == "user") {  // curl's
    const std::size_t login = is_quote(text.at(begin)) ? begin + 1 : begin;
    const std::size_t colon = text.run_end(login, kLongestName, is_key_character);
    if (text.at(colon) != ':' || colon == login || text.at(colon + 1) == '[') return std::nullopt;
    return unless_empty({colon + 1, word_end(text, colon + 1)});
  }
  return redactor.denies(name) ? value_of(text, name, begin, ' ') : std::nullopt;
}

bool DeniedMembers::have(std::string_view key, const Json& value) noexcept {
  if (value.is_boolean() || value.is_null()) return false;
  if (redactor_.denies(key)) return true;
  if (!is_value_member(key)) return false;
  if (!name_secret_) name_secret_ = name_secret();
  return *name_secret_;
}

bool DeniedMembers::name_secret() const noexcept {
  for (auto member = object_.begin(); member != object_.end(); ++member) {
    if (!is_name_member(member.key())) continue;
    const auto* name = member->get_ptr<const std::string*>();
    if (name != nullptr && redactor_.denies(*name)) return true;
  }
  return false;
}

}  // namespace tidings::logging
