#include "redaction/secret_tables.hpp"

#include "text/ascii.hpp"

#include <algorithm>
#include <array>

namespace tidings::logging {

namespace {

using Names = std::span<const std::string_view>;
using enum TokenCharacters;

constexpr std::size_t count_words(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
}

template <std::size_t Count>
constexpr std::array<std::string_view, Count> split(std::string_view text) noexcept {
  std::array<std::string_view, Count> words;
  for (std::string_view& word : words) {
    word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return words;
}

constexpr std::string_view kSecretKeysText =
    "password passwords passwd pwd pw passphrase passcode db_pass user_pass smtp_pass mail_pass ftp_pass "
    "ssh_pass password_hash secret secrets token jwt api_key api_keys auth auth_key auth_header "
    "authorization "
    "bearer cookie cookies sess_id jsessionid connect_sid credential credentials private_key secret_key "
    "access_key account_key session_key master_key shared_key signing_key encryption_key subscription_key "
    "consumer_key webhook_key license_key psk otp totp pin_code security_code recovery_code recovery_codes "
    "backup_codes security_answer mnemonic seed_phrase code_verifier client_assertion saml_response "
    "shared_access_signature ssn social_security_number credit_card credit_card_number card_number cvv cvv2 "
    "cvc cvc2";
constexpr auto kSecretKeys = split<count_words(kSecretKeysText)>(kSecretKeysText);

constexpr std::string_view kPersonalKeysText =
    "email email_address mail phone phone_number mobile mobile_number telephone fax ip ip_address client_ip "
    "remote_addr remote_address client_address x_forwarded_for x_real_ip national_id tax_id nino passport "
    "passport_number iban";
constexpr auto kPersonalKeys = split<count_words(kPersonalKeysText)>(kPersonalKeysText);

// Sorted.
constexpr std::string_view kEmptyValuesText =
    "(none) (null) disabled empty enabled false nil no none null true undefined unset yes";
constexpr auto kEmptyValues = split<count_words(kEmptyValuesText)>(kEmptyValuesText);

// Sorted.
constexpr std::string_view kNoSecretsText =
    "a absent accepted added all already an and anonymous any are argon2 argon2id as at auth authentication "
    "authorization base64 basic bcrypt bearer because been belongs blacklisted blocked bool boolean but by "
    "bytes can can't cannot challenge changed char check cleared could created credentials current data "
    "decode decoding deleted denied digest disabled do does doesn't don't empty enabled error es256 every "
    "exceeded exists expected expired expires failed failure field for forbidden format found from generated "
    "got granted had has has_no hash have header hmac-sha256 hs256 http2 i if ignored in incorrect "
    "insufficient int integer internal invalid invalidated is isn't issued issuer it its kerberos ldap "
    "length "
    "local locked login malformed match matched max may md5 min mismatch missing more must mutual need needs "
    "negotiate new no non-empty not ntlm null number oauth oauth2 object of ok old on one only optional or "
    "our parse pbkdf2 plain please protocol provided realm received refresh refreshed rejected removed "
    "required reset revoked rotated rs256 saml saved scheme scram-sha-256 scrypt sent server session set "
    "sha-1 sha-256 sha-512 sha1 sha256 sha512 shall should signature skipped sms some std still stored str "
    "string success successful syntax text that the then there they this timeout tls to token tokens too "
    "trusted type unable unauthorized unchanged undefined unexpected unknown unset unsupported updated use "
    "used user utf-8 utf8 valid validation value varchar verification verified was we weak were when whether "
    "which while will with without wrong x509 yes you your";
constexpr auto kNoSecrets = split<count_words(kNoSecretsText)>(kNoSecretsText);

constexpr std::string_view kUrlSignaturesText =
    "sig signature hmac x-amz-signature x-amz-credential x-goog-signature x-goog-credential pass ticket";
constexpr auto kUrlSignatures = split<count_words(kUrlSignaturesText)>(kUrlSignaturesText);
constexpr std::string_view kPerhapsTokensText = "key code session sid sessionid session_id t id_hint";
constexpr auto kPerhapsTokens = split<count_words(kPerhapsTokensText)>(kPerhapsTokensText);

constexpr std::string_view kNameMembersText =
    "name key field header param parameter property variable attribute option id k n";
constexpr auto kNameMembers = split<count_words(kNameMembersText)>(kNameMembersText);
constexpr std::string_view kValueMembersText = "value val values content data text string_value v";
constexpr auto kValueMembers = split<count_words(kValueMembersText)>(kValueMembersText);

// AWS, Google; GitHub, Stripe, npm, Shopify, DigitalOcean, Hugging Face, Grafana, Docker, Linear, Supabase,
// PlanetScale, RubyGems, Figma, Sentry, Groq, Notion, Netlify; Slack, GitLab, Anthropic, OpenAI, PyPI,
// Google, New Relic, Postman, Brevo, Square, Mailgun, age; SendGrid, Vault, Google, Doppler; and hashes of
// passwords as crypt(3) and web frameworks write them. In the order of their anchors.
constexpr auto kTokenShapes = std::to_array<TokenShape>({{"AKIA", 16, Upper},
                                                         {"ASIA", 16, Upper},
                                                         {"AIza", 30, Word},
                                                         {"ghp_", 20},
                                                         {"gho_", 20},
                                                         {"ghu_", 20},
                                                         {"ghs_", 20},
                                                         {"ghr_", 20},
                                                         {"github_pat_", 20, Word},
                                                         {"sk_live_", 10},
                                                         {"sk_test_", 10},
                                                         {"rk_live_", 10},
                                                         {"rk_test_", 10},
                                                         {"whsec_", 16},
                                                         {"npm_", 30},
                                                         {"shpat_", 30, Hex},
                                                         {"shpca_", 30, Hex},
                                                         {"shppa_", 30, Hex},
                                                         {"shpss_", 30, Hex},
                                                         {"dop_v1_", 30, Hex},
                                                         {"doo_v1_", 30, Hex},
                                                         {"dor_v1_", 30, Hex},
                                                         {"hf_", 30},
                                                         {"glsa_", 30, Word},
                                                         {"glc_", 40, Word},
                                                         {"dckr_pat_", 20, Word},
                                                         {"lin_api_", 30},
                                                         {"sbp_", 40, Hex},
                                                         {"pscale_tkn_", 30, Word},
                                                         {"pscale_pw_", 30, Word},
                                                         {"rubygems_", 40, Hex},
                                                         {"figd_", 30, Word},
                                                         {"sntrys_", 40, Word},
                                                         {"sntryu_", 40, Word},
                                                         {"gsk_", 40},
                                                         {"ntn_", 40},
                                                         {"nfp_", 36},
                                                         {"xoxb-", 10, Word},
                                                         {"xoxp-", 10, Word},
                                                         {"xoxa-", 10, Word},
                                                         {"xoxr-", 10, Word},
                                                         {"xoxs-", 10, Word},
                                                         {"xoxe-", 10, Word},
                                                         {"xapp-", 10, Word},
                                                         {"glpat-", 20, Word},
                                                         {"gldt-", 20, Word},
                                                         {"glrt-", 20, Word},
                                                         {"glptt-", 20, Word},
                                                         {"glcbt-", 20, Word},
                                                         {"sk-ant-", 20, Word},
                                                         {"sk-proj-", 20, Word},
                                                         {"sk-svcacct-", 20, Word},
                                                         {"sk-", 32},
                                                         {"pypi-", 50, Word},
                                                         {"GOCSPX-", 20, Word},
                                                         {"NRAK-", 20},
                                                         {"PMAK-", 24, Word},
                                                         {"xkeysib-", 40, Word},
                                                         {"sq0atp-", 20, Word},
                                                         {"sq0csp-", 20, Word},
                                                         {"key-", 32, Hex},
                                                         {"AGE-SECRET-KEY-", 40, Upper},
                                                         {"SG.", 40, Word},
                                                         {"hvs.", 20, Word},
                                                         {"hvb.", 20, Word},
                                                         {"hvr.", 20, Word},
                                                         {"ya29.", 20, Word},
                                                         {"dp.pt.", 30},
                                                         {"$2a$", 50, Crypt},
                                                         {"$2b$", 50, Crypt},
                                                         {"$2y$", 50, Crypt},
                                                         {"$1$", 20, Crypt},
                                                         {"$5$", 40, Crypt},
                                                         {"$6$", 40, Crypt},
                                                         {"$y$", 40, Crypt},
                                                         {"$argon2i$", 40, Crypt},
                                                         {"$argon2d$", 40, Crypt},
                                                         {"$argon2id$", 40, Crypt},
                                                         {"$pbkdf2-sha256$", 40, Crypt},
                                                         {"pbkdf2_sha256$", 40, Crypt}});

constexpr auto kSecretPaths = std::to_array<std::string_view>(
    {"hooks.slack.com/services/", "hooks.slack.com/workflows/", "discord.com/api/webhooks/",
     "discordapp.com/api/webhooks/", "api.telegram.org/bot"});

constexpr char anchor_of(const TokenShape& shape) noexcept {
  return is_upper(shape.prefix.front()) && shape.prefix.find('I') < 3 && shape.prefix.size() == 4
             ? 'I'
             : shape.prefix.back();
}

template <char Anchor>
constexpr std::span<const TokenShape> kShapesWith = [] {
  const auto has_anchor = [](const TokenShape& shape) { return anchor_of(shape) == Anchor; };
  const auto first = std::find_if(kTokenShapes.begin(), kTokenShapes.end(), has_anchor);
  return std::span<const TokenShape>(first, std::find_if_not(first, kTokenShapes.end(), has_anchor));
}();

constexpr Names::size_type kLongestListed = 64;

bool is_listed(Names names, std::string_view word) noexcept {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return equal_ignoring_case(word, name); });
}

struct Lowered {
  std::array<char, kLongestListed> text;
  std::size_t size;
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), size}; }
};

bool is_in_sorted(Names sorted, std::string_view word) noexcept {
  if (word.size() > kLongestListed) return false;
  Lowered lowered{};
  for (const char c : word) lowered.text[lowered.size++] = lower(c);
  return std::binary_search(sorted.begin(), sorted.end(), lowered.view());
}

static_assert(std::is_sorted(kEmptyValues.begin(), kEmptyValues.end()));
static_assert(std::is_sorted(kNoSecrets.begin(), kNoSecrets.end()));

}  // namespace

Names secret_keys() noexcept { return kSecretKeys; }
Names personal_keys() noexcept { return kPersonalKeys; }
Names secret_paths() noexcept { return kSecretPaths; }

bool says_no_secret(std::string_view word) noexcept {
  return is_in_sorted(kNoSecrets, word) || is_empty_value(word);
}
bool is_empty_value(std::string_view word) noexcept { return is_in_sorted(kEmptyValues, word); }
bool signs_url(std::string_view key) noexcept { return is_listed(kUrlSignatures, key); }
bool may_grant_access(std::string_view key) noexcept { return is_listed(kPerhapsTokens, key); }
bool is_name_member(std::string_view key) noexcept { return is_listed(kNameMembers, key); }
bool is_value_member(std::string_view key) noexcept { return is_listed(kValueMembers, key); }

std::span<const TokenShape> token_shapes(char anchor) noexcept {
  switch (anchor) {
    case 'I':
      return kShapesWith<'I'>;
    case '_':
      return kShapesWith<'_'>;
    case '-':
      return kShapesWith<'-'>;
    case '.':
      return kShapesWith<'.'>;
    default:
      return kShapesWith<'$'>;
  }
}

}  // namespace tidings::logging
