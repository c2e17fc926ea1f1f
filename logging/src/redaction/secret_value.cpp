#include "redaction/secret_value.hpp"

#include "redaction/secret_tables.hpp"

#include <array>

namespace tidings::logging {

namespace {

constexpr std::size_t kMaxKeyLength = 64;
constexpr std::size_t kMaxEscapes = 15;  // JSON in JSON, four times
constexpr std::size_t kMaxWrapper = 24;
constexpr std::size_t kShapeLength = 64;

// Quotes as HTML, and JSON that is safe in HTML, write them.
constexpr std::array<std::string_view, 3> kWrittenQuotes = {"&quot;", "&#34;", "\\u0022"};

struct Quote {
  std::size_t at;
  std::size_t escapes;  // backslashes before it
};

// The quote itself, after what languages write before one: b'...', Some("...").
std::optional<Quote> opening_quote(const ScannedText& text, std::size_t begin) noexcept {
  std::size_t at = text.run_end(begin, kMaxWrapper, is_alphanumeric);
  const std::size_t prefix = at - begin;
  if (text.at(at) == '(' && prefix > 0) {
    ++at;
  } else if (prefix > 2) {
    return std::nullopt;
  }
  const std::size_t quote = text.run_end(at, kMaxEscapes, [](char c) { return c == '\\'; });
  if (!is_quote(text.at(quote))) return std::nullopt;
  return Quote{quote, quote - at};
}

// A quote closes if as many backslashes stand before it as before the opening one; pairs that stand for a
// backslash itself at that depth may come on top. With fewer, a text around it ends.
bool closes(std::size_t escapes, std::size_t opening) noexcept {
  return escapes < opening || (escapes - opening) % (2 * (opening + 1)) == 0;
}

std::size_t closing_quote(const ScannedText& text, Quote opening) noexcept {
  const char quote = text.at(opening.at);
  std::size_t escapes = 0;
  for (std::size_t index = opening.at + 1; index < text.size(); ++index) {
    const char c = text.at(index);
    if (c == '\\') {
      ++escapes;
    } else {
      if (c == quote && closes(escapes, opening.escapes)) return index - std::min(escapes, opening.escapes);
      escapes = 0;
    }
  }
  return text.size();
}

// `b=2`, as it follows `&`, `;` or `,`.
bool begins_pair(const ScannedText& text, std::size_t begin) noexcept {
  constexpr std::size_t kLongest = 40;
  std::size_t at = text.skip_blanks(begin);
  while (is_quote(text.at(at)) || text.at(at) == '\\') ++at;
  const std::size_t end = text.run_end(at, kLongest, [](char c) { return is_key_character(c) || c == ' '; });
  const char next = text.at(end);
  return end > at && (next == '=' || next == ':' || is_quote(next));
}

bool ends_word(const ScannedText& text, std::size_t index) noexcept {
  const char c = text.at(index);
  const char next = text.at(index + 1);
  switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '\0':
    case '"':
    case '<':
    case '>':
    case '`':
      return true;
    case '&':
    case ';':
    case ',':
      return next == '\0' || is_blank(next) || is_line_end(next) || is_quote(next) || next == '\\' ||
             begins_pair(text, index + 1);
    case '\'':
    case ')':
    case ']':
    case '}':
      return !is_alphanumeric(next);
    default:
      return false;
  }
}

struct Shape {
  std::size_t letters = 0;
  std::size_t digits = 0;
  std::size_t symbols = 0;
  bool code = false;
};

Shape shape_of(std::string_view word) noexcept {
  constexpr std::string_view kSymbols = "!@#$%^&*~+?|";
  constexpr std::string_view kOthers = "-_./:=,";
  Shape shape;
  for (const char c : word.substr(0, kShapeLength)) {
    if (is_letter(c)) {
      ++shape.letters;
    } else if (is_digit(c)) {
      ++shape.digits;
    } else if (kSymbols.find(c) != std::string_view::npos) {
      ++shape.symbols;
    } else if (kOthers.find(c) == std::string_view::npos && (static_cast<unsigned char>(c) & 0x80U) == 0) {
      shape.code = true;
    }
  }
  return shape;
}

std::size_t digits_from(std::string_view word, std::size_t begin) noexcept {
  std::size_t end = begin;
  while (end < word.size() && is_digit(word[end])) ++end;
  return end - begin;
}

// `12-char`, `30days`, `128bit`, `v2.1`, `2026-11-21T09:30:00Z`.
bool is_measure(std::string_view word) noexcept {
  constexpr std::size_t kYear = 4;
  constexpr std::size_t kMonthEnd = 7;
  constexpr std::size_t kMostDigits = 3;
  const std::size_t digits = digits_from(word, 0);
  if (digits == kYear && word.size() > kMonthEnd && word[kYear] == '-' && word[kMonthEnd] == '-') return true;
  const std::size_t version = lower(word.front()) == 'v' ? 1 : 0;
  if (std::all_of(word.begin() + static_cast<std::ptrdiff_t>(version), word.end(),
                  [](char c) { return is_digit(c) || c == '.'; })) {
    return version == 1;
  }
  return digits > 0 && digits <= kMostDigits &&
         std::all_of(word.begin() + static_cast<std::ptrdiff_t>(digits), word.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

bool is_path_or_code(std::string_view word) noexcept {
  const std::size_t equals = word.find('=');
  const bool pair =
      equals != std::string_view::npos && word.find_first_not_of('=', equals) != std::string_view::npos;
  return pair || word.front() == '/' || word.starts_with("./") || word.starts_with("~/") ||
         word.find("://") != std::string_view::npos || word.find("::") != std::string_view::npos;
}

}  // namespace

FoundRange quoted_value(const ScannedText& text, std::size_t begin) noexcept {
  for (const std::string_view written : kWrittenQuotes) {
    if (!text.continues_with(begin, written)) continue;
    return TextRange{begin + written.size(), text.find(written, begin + written.size())};
  }
  const auto quote = opening_quote(text, begin);
  if (!quote) return std::nullopt;
  return TextRange{quote->at + 1, closing_quote(text, *quote)};
}

std::size_t bracket_end(const ScannedText& text, std::size_t begin) noexcept {
  std::size_t depth = 0;
  bool quotes_close = true;
  for (std::size_t index = begin; index < text.size(); ++index) {
    const char c = text.at(index);
    if (c == '"' && quotes_close && text.before(index) != '\\') {
      const std::size_t end = closing_quote(text, {index, 0});
      quotes_close = end < text.size();
      if (quotes_close) index = end;
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) return index + 1;
  }
  return text.size();
}

std::size_t word_end(const ScannedText& text, std::size_t begin, std::size_t limit) noexcept {
  const std::size_t last = std::min(text.size(), begin + std::min(limit, text.size()));
  std::size_t end = begin;
  while (end < last && !ends_word(text, end)) ++end;
  if (is_quote(text.at(end))) {
    while (end > begin && text.at(end - 1) == '\\') --end;
  }
  return end;
}

std::size_t line_end(const ScannedText& text, std::size_t begin) noexcept {
  return text.find_first_of("\r\n", begin);
}

std::string_view key_before(const ScannedText& text, std::size_t end) noexcept {
  constexpr std::size_t kMostBlanks = 6;
  const auto step_over = [&](std::size_t most, const auto& belongs) {
    end = text.run_begin(end, most, belongs);
  };
  step_over(kMostBlanks, is_blank);
  for (const std::string_view written : kWrittenQuotes) {
    if (text.slice(text.floor(), end).ends_with(written)) end -= written.size();
  }
  step_over(1, [](char c) { return c == ']'; });
  step_over(1, is_quote);
  step_over(kMaxEscapes, [](char c) { return c == '\\'; });
  return text.slice(text.run_begin(end, kMaxKeyLength, is_key_character), end);
}

bool is_placeholder(std::string_view value) noexcept {
  constexpr std::string_view kMore = "_.-()";
  if (value.empty() || value.size() > kShapeLength) return false;
  const auto is_name = [&](std::string_view name) {
    return std::all_of(name.begin(), name.end(),
                       [&](char c) { return is_alphanumeric(c) || kMore.find(c) != std::string_view::npos; });
  };
  std::string_view inner = value.substr(1);
  if (value == "?" || value == "...") return true;
  switch (value.front()) {
    case '$':
      if (digits_from(value, 1) == inner.size() && !inner.empty()) return inner.size() < 3;
      return inner.starts_with('{') && inner.ends_with('}');
    case ':':
    case '%':
      return !inner.empty() && (is_letter(inner.front()) || inner.front() == '(') && is_name(inner);
    case '{':
      if (!inner.ends_with('}')) return false;
      while (inner.starts_with('{') || inner.starts_with(' ')) inner.remove_prefix(1);
      while (inner.ends_with('}') || inner.ends_with(' ')) inner.remove_suffix(1);
      return is_name(inner);
    default:
      return false;
  }
}

bool is_masked(std::string_view value) noexcept {
  return value.starts_with(kMasked) || value.find_first_not_of('*') == std::string_view::npos;
}

std::string_view without_punctuation(std::string_view word) noexcept {
  while (!word.empty() && std::string_view(".,;!?").find(word.back()) != std::string_view::npos)
    word.remove_suffix(1);
  return word;
}

bool looks_secret(std::string_view word, std::size_t least) noexcept {
  constexpr std::size_t kLeastDigits = 6;
  word = without_punctuation(word);
  if (word.size() < least || word.empty() || word.back() == ':') return false;
  const Shape shape = shape_of(word);
  if (shape.code || (shape.digits == 0 && shape.symbols == 0)) return false;
  if (shape.letters == 0 && shape.symbols == 0)
    return shape.digits == word.size() && shape.digits >= kLeastDigits;
  if (shape.letters == 0 && shape.digits <= 3) return false;  // 100%
  const std::string_view beginning = word.substr(0, kShapeLength);
  return !is_measure(beginning) && !is_path_or_code(beginning) && !says_no_secret(beginning);
}

}  // namespace tidings::logging
