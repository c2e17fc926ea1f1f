#include "redaction/secret_scanner.hpp"

#include "redaction/keyed_secret.hpp"
#include "redaction/personal_data.hpp"
#include "redaction/shaped_secret.hpp"
#include "redaction/worded_secret.hpp"

#include <array>

namespace tidings::logging {

namespace {

// The characters at which a secret can be recognised; all others are passed over.
constexpr std::array<bool, 256> kTriggers = [] {
  std::array<bool, 256> triggers{};
  for (const char c : std::string_view("=:%>, \t-_.$@IJ0123456789"))
    triggers[static_cast<unsigned char>(c)] = true;
  return triggers;
}();

}  // namespace

FoundRange SecretScanner::next() noexcept {
  for (; position_ < text_.size(); ++position_) {
    if (!kTriggers[static_cast<unsigned char>(text_.at(position_))]) continue;
    const std::size_t trigger = position_;
    FoundRange found = look_at(trigger);
    if (!found && personal_) found = look_for_person(trigger);
    if (!found) continue;
    position_ = found->end;
    text_.raise_floor(found->end);
    return found;
  }
  return std::nullopt;
}

FoundRange SecretScanner::look_at(std::size_t at) noexcept {
  switch (text_.at(at)) {
    case ':':
      return at_colon(at);
    case '=':
      return secret_after_separator(text_, at, redactor_);
    case '%':
      if (text_.continues_with(at, "%3D") || text_.continues_with(at, "%3A"))
        return secret_after_separator(text_, at, redactor_);
      return std::nullopt;
    case '>':
      return secret_in_element(text_, at, redactor_);
    case ',':
      return secret_in_pair(text_, at, redactor_);
    case ' ':
    case '\t':
      return secret_after_word(text_, at);
    case '-':
      return at_dash(at);
    case 'J':
      return web_token(text_, at);
    case '@':
      return password_before_host(text_, at);
    case '_':
    case '.':
    case '$':
    case 'I':
      return provider_token(text_, at);
    default:
      return at_digit(at);
  }
}

FoundRange SecretScanner::look_for_person(std::size_t at) const noexcept {
  const char c = text_.at(at);
  if (c == '@') return email_address(text_, at);
  if (c == ':') return ipv6_address(text_, at);
  return is_digit(c) ? personal_number(text_, at) : std::nullopt;
}

FoundRange SecretScanner::at_colon(std::size_t at) const noexcept {
  if (text_.continues_with(at, "://")) return secret_in_url(text_, at);
  if (text_.at(at + 1) == ':' || text_.before(at) == ':') return std::nullopt;  // C++ names: token::kind
  return secret_after_separator(text_, at, redactor_);
}

FoundRange SecretScanner::at_dash(std::size_t at) const noexcept {
  const char next = text_.at(at + 1);
  const char before = text_.before(at);
  if (next == '>') {
    return is_blank(before) || is_quote(before) ? secret_after_separator(text_, at, redactor_) : std::nullopt;
  }
  if (next == '-' || !is_alphanumeric(before)) {
    if (const FoundRange found = private_key(text_, at)) return found;
    return secret_of_option(text_, at, redactor_);
  }
  return provider_token(text_, at);
}

FoundRange SecretScanner::at_digit(std::size_t at) noexcept {
  std::size_t behind = at;
  const FoundRange found = card_number(text_, at, behind);
  position_ = behind - 1;
  return found;
}

}  // namespace tidings::logging
