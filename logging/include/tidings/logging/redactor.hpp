#pragma once

#include <tidings/event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::logging {

/// What happens to a value that must not be visible.
enum class Redaction : std::uint8_t {
  Mask,    ///< It is replaced by the text `[redacted]`.
  Remove,  ///< It is removed, with its key. In running text it is masked instead.
};

/// password, passwd, pwd, passphrase, secret, token, api_key, auth, authorization, bearer, cookie,
/// credential, private_key, access_key, otp, ssn, social_security_number, credit_card, card_number, cvv, cvc
/// and similar names.
[[nodiscard]] const std::vector<std::string>& default_redacted_keys();

/// What is looked for.
enum class RedactionProfile : std::uint8_t {
  Secrets,  ///< Passwords, tokens, keys, card numbers and the like.
  /// Those, and email addresses, telephone numbers, IP addresses, bank accounts (IBAN) and the national
  /// numbers of some countries; docs/logging.md says which. Also the values of keys such as `email`, `phone`,
  /// `client_ip` and `national_id`.
  PersonalData,
};

/// `secrets`, `personal_data`.
[[nodiscard]] std::string_view to_string(RedactionProfile profile) noexcept;

struct RedactorOptions {
  /// Denied keys. Compared without regard to case, `_`, `-`, `.` and spaces, and at the end of longer keys as
  /// well: `password` denies `Password`, `user_password`, `userPassword` and `password2`; a key of less than
  /// five letters denies longer ones only at the beginning of a word (`cvv`: `card_cvv`, not `foocvv`).
  std::vector<std::string> keys = default_redacted_keys();
  /// JSON pointers (RFC 6901) whose segment `*` stands for any key or index: `/customer/*/email`. Whatever
  /// they point at is masked or removed. In a record the first segment is the field's name.
  std::vector<std::string> paths = {};
  Redaction action = Redaction::Mask;
  RedactionProfile profile = RedactionProfile::Secrets;
};

/// Keeps secrets out of records, alerts and pages: by key at any depth, by path, and by pattern in running
/// text. Immutable and thread-safe. It is a safety net: it knows names and shapes of secrets, not their
/// meaning.
class Redactor {
 public:
  /// The defaults.
  Redactor();
  /// Throws Error(InvalidArgument) for an empty key, and for a path that is empty or does not begin with `/`.
  explicit Redactor(const RedactorOptions& options);

  /// Whether the value of this key must not be visible.
  [[nodiscard]] bool denies(std::string_view key) const noexcept;
  /// Whether a number must not be visible, wherever it stands: redact_text would mask its digits. So it is
  /// with a card's number, and with RedactionProfile::PersonalData with some national numbers. A
  /// floating-point number has digits if it is whole.
  [[nodiscard]] bool denies_number(std::uint64_t number) const noexcept {
    return number >= kLeastDenied && denies_digits(number);
  }
  [[nodiscard]] bool denies_number(std::int64_t number) const noexcept {
    return number >= 0 ? denies_number(static_cast<std::uint64_t>(number))
                       : denies_number(std::uint64_t{0} - static_cast<std::uint64_t>(number));
  }
  [[nodiscard]] bool denies_number(double number) const noexcept;
  /// The same for JSON; false for what is no number.
  [[nodiscard]] bool denies_number(const Json& value) const noexcept;
  /// The value with everything denied masked or removed, its texts scanned as by redact_text, and its numbers
  /// masked by denies_number. Not recursive, so any depth is safe.
  [[nodiscard]] Json redact(Json value) const;

  /// Masks secrets in running text, in time linear in its length: values of denied keys (`password=...`,
  /// `"token": "..."`, `API key: ...`, also where JSON stands in JSON), `password hunter2`, the rest of the
  /// line after `Authorization:` and `Cookie:`, `Bearer ...`, passwords and signatures in URLs, JSON Web
  /// Tokens, providers' keys (`AKIA...`, `ghp_...`), private keys in PEM, and card numbers (13 to 19 digits,
  /// as on a card, that pass the Luhn check). docs/logging.md has the whole list.
  [[nodiscard]] std::string redact_text(std::string_view text) const;
  /// redact_text without the copy: false, and `out` untouched, if there is nothing to mask.
  bool redact_text_into(std::string_view text, std::string& out) const;

  [[nodiscard]] Redaction action() const noexcept { return action_; }
  [[nodiscard]] RedactionProfile profile() const noexcept { return profile_; }
  /// Whether some path begins with this segment.
  [[nodiscard]] bool has_path_below(std::string_view segment) const noexcept;
  /// redact() for the value that stands at `/segment`. False if the value itself must go.
  bool redact_below(std::string_view segment, Json& value) const;

 private:
  using Path = std::vector<std::string>;

  static constexpr std::uint64_t kLeastDenied =
      10'000'000'000;  // no shorter digits are anything by themselves

  [[nodiscard]] bool denies_as_written(std::string_view key) const noexcept;
  [[nodiscard]] bool denies_digits(std::uint64_t number) const noexcept;
  void redact_keys_and_texts(Json& root) const;
  void redact_object(Json& object, std::vector<Json*>& open) const;

  struct Key {
    std::string text;  // lower case, without separators
    bool whole_words;  // it denies longer keys at the beginning of a word only
  };

  std::vector<Key> keys_;  // by their last character
  // Where in keys_ those begin that end in a character: most names are cleared by their last letter.
  std::array<std::uint32_t, 257> first_with_last_{};
  std::vector<Path> paths_;
  Redaction action_ = Redaction::Mask;
  RedactionProfile profile_ = RedactionProfile::Secrets;
};

/// The redactor of every logger that is given no other, of the error texts in dead letters, and of the tools.
/// Its profile is RedactionProfile::PersonalData if TIDINGS_REDACTION in the environment says
/// `personal_data`, or anything else than `secrets`.
[[nodiscard]] std::shared_ptr<const Redactor> default_redactor();
/// Replaces it, for loggers made and errors described from now on. Thread-safe. Throws Error(InvalidArgument)
/// for null.
void set_default_redactor(std::shared_ptr<const Redactor> redactor);
/// An error text as it is kept and shown: redacted by default_redactor(), then as sanitize_text leaves it.
[[nodiscard]] std::string printable_error(std::string_view message, std::size_t max_bytes);

}  // namespace tidings::logging
