#include <tidings/dead_letter.hpp>

#include <cstddef>

namespace tidings {
namespace {

constexpr char kPlaceholder = '#';

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alphanumeric(char c) noexcept { return is_digit(c) || is_letter(c); }
constexpr bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_quote(char c) noexcept { return c == '\'' || c == '"' || c == '`'; }
/// What the part of an address before its @ consists of.
constexpr bool is_mailbox_character(char c) noexcept {
  return is_alphanumeric(c) || c == '.' || c == '_' || c == '+' || c == '-';
}

/// Replaces what differs between failures with one cause. The rules are part of the database's schema: an
/// equal cause must have an equal fingerprint in every version.
class Normaliser {
 public:
  explicit Normaliser(std::string_view text) : text_(text) { result_.reserve(text.size()); }

  std::string normalise() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (is_space(c)) {
        skip_spaces();
      } else if (is_quote(c)) {
        replace_quoted_text();
      } else if (is_alphanumeric(c)) {
        replace_word();
      } else if ((c == '-' || c == '+') && begins_number(position_ + 1) && !follows_word()) {
        ++position_;  // the sign goes with its number
      } else {
        keep(1);
      }
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] char at(std::size_t position) const noexcept {
    return position < text_.size() ? text_[position] : '\0';
  }
  [[nodiscard]] bool begins_number(std::size_t position) const noexcept { return is_digit(at(position)); }
  [[nodiscard]] bool follows_word() const noexcept {
    return position_ > 0 && is_alphanumeric(text_[position_ - 1]);
  }
  void keep(std::size_t count) {
    result_ += text_.substr(position_, count);
    position_ += count;
  }
  void replace(std::size_t count) {
    result_ += kPlaceholder;
    position_ += count;
  }

  void skip_spaces();
  void replace_quoted_text();
  void replace_word();
  void replace_digits(std::size_t end);
  [[nodiscard]] std::size_t closing_quote(char quote);
  [[nodiscard]] std::size_t uuid_length() const;
  [[nodiscard]] std::size_t address_length();
  [[nodiscard]] std::size_t word_end() const;
  [[nodiscard]] static bool looks_like_id(std::string_view word);

  std::string_view text_;
  std::size_t position_ = 0;
  std::string result_;
  // From here on each quote is known to have no partner; keeps the scan linear.
  std::size_t no_closing_from_[3] = {std::string_view::npos, std::string_view::npos, std::string_view::npos};
  // No mailbox begins before this position.
  std::size_t no_address_before_ = 0;
};

void Normaliser::skip_spaces() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  if (!result_.empty() && position_ < text_.size()) result_ += ' ';
}

/// An apostrophe is a closing quote only where no word goes on behind it: "can't" has none.
std::size_t Normaliser::closing_quote(char quote) {
  std::size_t& none_from = no_closing_from_[quote == '\'' ? 0 : quote == '"' ? 1 : 2];
  if (position_ >= none_from) return std::string_view::npos;
  std::size_t end = text_.find(quote, position_ + 1);
  while (quote == '\'' && end != std::string_view::npos && is_alphanumeric(at(end + 1))) {
    end = text_.find(quote, end + 1);
  }
  if (end == std::string_view::npos) none_from = position_;
  return end;
}

void Normaliser::replace_quoted_text() {
  const char quote = text_[position_];
  if (quote == '\'' && follows_word()) return keep(1);
  const std::size_t end = closing_quote(quote);
  if (end == std::string_view::npos) return keep(1);
  replace(end + 1 - position_);
}

std::size_t Normaliser::uuid_length() const {
  constexpr std::string_view kShape = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
  if (text_.size() - position_ < kShape.size() || is_alphanumeric(at(position_ + kShape.size()))) return 0;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const char c = text_[position_ + i];
    if (kShape[i] == 'h' ? !is_hex(c) : c != '-') return 0;
  }
  return kShape.size();
}

/// name@host, which most often is an e-mail address.
std::size_t Normaliser::address_length() {
  if (position_ < no_address_before_) return 0;
  std::size_t end = position_;
  while (end < text_.size() && is_mailbox_character(text_[end])) ++end;
  no_address_before_ = end;
  if (at(end) != '@' || !is_alphanumeric(at(end + 1))) return 0;
  for (++end; end < text_.size() && is_mailbox_character(text_[end]);) ++end;
  while (text_[end - 1] == '.') --end;  // the full stop of a sentence
  return end - position_;
}

std::size_t Normaliser::word_end() const {
  std::size_t end = position_;
  while (end < text_.size() && is_alphanumeric(text_[end])) ++end;
  return end;
}

/// Hexadecimal of 8 digits or more, 0x and hexadecimal, or 12 characters or more with digits before a letter,
/// as random ids have them. A name with a number behind it (Worker12) is not an id.
bool Normaliser::looks_like_id(std::string_view word) {
  std::size_t hex = 0;
  bool has_digit = false;
  bool has_letter_after_digit = false;
  for (const char c : word) {
    hex += is_hex(c) ? 1U : 0U;
    has_letter_after_digit |= has_digit && is_letter(c);
    has_digit |= is_digit(c);
  }
  if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X') && hex == word.size() - 1)
    return true;
  if (word.size() >= 8 && hex == word.size() && (has_digit || word.size() >= 16)) return true;
  return word.size() >= 12 && has_letter_after_digit;
}

void Normaliser::replace_word() {
  if (const std::size_t length = uuid_length()) return replace(length);
  if (const std::size_t length = address_length()) return replace(length);
  const std::size_t end = word_end();
  if (looks_like_id(text_.substr(position_, end - position_))) return replace(end - position_);
  replace_digits(end);
}

/// One placeholder for each number; 3.14, 1,000 and 10:30 are one number.
void Normaliser::replace_digits(std::size_t end) {
  while (position_ < end) {
    if (!is_digit(text_[position_])) {
      keep(1);
      continue;
    }
    std::size_t number_end = position_;
    while (is_digit(at(number_end)) ||
           ((at(number_end) == '.' || at(number_end) == ',' || at(number_end) == ':') &&
            begins_number(number_end + 1))) {
      ++number_end;
    }
    replace(number_end - position_);
  }
}

/// Fowler-Noll-Vo 1a, 64 bits.
class Fnv1a {
 public:
  void add(std::string_view text) noexcept {
    for (const char c : text) add(static_cast<std::uint8_t>(c));
    add(std::uint8_t{0x1f});  // a separator, so that ("ab", "c") is not ("a", "bc")
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  void add(std::uint8_t byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3ULL; }

  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace

std::string error_fingerprint(std::string_view handler, std::string_view error_type,
                              std::string_view error_message) {
  Fnv1a hash;
  hash.add(handler);
  hash.add(error_type);
  hash.add(Normaliser(error_message).normalise());
  std::string text(16, '0');
  std::uint64_t rest = hash.value();
  for (std::size_t i = text.size(); i-- > 0; rest >>= 4U) text[i] = "0123456789abcdef"[rest & 15U];
  return text;
}

}  // namespace tidings
