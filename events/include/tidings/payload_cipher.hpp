#pragma once

#include <tidings/event.hpp>
#include <tidings/ids.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings {

/// The event that a payload belongs to. An encrypted payload is bound to it: in the row of another event it
/// cannot be decrypted.
struct PayloadOwner {
  std::string_view event_type;
  EventId event_id;
};

/// The port through which payloads of types with `encrypt_payload = true` are encrypted before they are
/// stored, and decrypted when they are delivered again. `tidings::encryption::FileCipher` implements it.
/// Implementations are thread-safe.
class PayloadCipher {
 public:
  PayloadCipher() = default;
  PayloadCipher(const PayloadCipher&) = delete;
  PayloadCipher& operator=(const PayloadCipher&) = delete;
  virtual ~PayloadCipher() = default;

  /// `plain` is in JSON or CBOR, and the result is DataEncoding::Encrypted. Throws Error(NotEncodable).
  [[nodiscard]] virtual EncodedData encrypt(const EncodedData& plain, const PayloadOwner& owner) const = 0;
  /// The reverse. Throws Error(NotDecodable): the key is not there (the message names it), the payload is not
  /// this owner's, or its bytes were changed.
  [[nodiscard]] virtual EncodedData decrypt(std::string_view encrypted, const PayloadOwner& owner) const = 0;
  /// The name of the key that encrypt uses.
  [[nodiscard]] virtual std::string_view writing_key() const noexcept = 0;
  /// What stands in letters for a value of `hashed_fields`: equal for equal values, and not to be found by
  /// trying values without the key.
  [[nodiscard]] virtual std::string fingerprint(std::string_view value) const = 0;
  /// What the record `bus_started` says of it: an object of fields by name, `key_ids` among them, and never a
  /// key. Throws std::bad_alloc.
  [[nodiscard]] virtual Json configuration() const {
    Json key_ids = Json::array();
    key_ids.push_back(std::string(writing_key()));
    Json fields = Json::object();
    fields["key_ids"] = std::move(key_ids);
    return fields;
  }
};

/// What a store encrypts payloads with: StoreOptions::encryption.
struct PayloadEncryption {
  /// The keys for types with `encrypt_payload` or `hashed_fields`, such as
  /// tidings::encryption::FileCipher::open gives. Null: such types cannot be published durably, their letters
  /// have no payload, and what is stored encrypted cannot be delivered.
  std::shared_ptr<const PayloadCipher> cipher = nullptr;
  /// Names of event types that are stored encrypted though no struct of this service says so: those that are
  /// only published and subscribed to as JSON.
  std::vector<std::string> types = {};
};

/// An encrypted payload, taken apart. Refers to its bytes. docs/schema.md describes the format.
struct EncryptedEnvelope {
  static constexpr char kVersion = 1;
  static constexpr std::size_t kMaxKeyId = 64;
  static constexpr std::size_t kNonceBytes = 24;
  static constexpr std::size_t kTagBytes = 16;

  /// The version, the length of the key's name, and the name.
  std::string_view header;
  std::string_view key_id;
  std::string_view nonce;
  /// Ends with the tag.
  std::string_view ciphertext;
};

/// Nullopt if these are not the bytes of an encrypted payload.
[[nodiscard]] std::optional<EncryptedEnvelope> parse_envelope(std::string_view encrypted) noexcept;

/// The beginning of everything that is encrypted with the key of this name: EncryptedEnvelope::header.
[[nodiscard]] std::string envelope_header(std::string_view key_id);

/// Whether `id` may be the name of a key: 1 to 64 letters, digits, `.`, `_` and `-`.
[[nodiscard]] bool is_valid_key_id(std::string_view id) noexcept;

/// Why a letter has no payload whose type is stored encrypted, if there was no key when it was stored.
inline constexpr std::string_view kUnkeptWithoutKey =
    "the event type is stored encrypted (encrypt_payload = true), and there was no key "
    "(StoreOptions::encryption): the payload was not kept, and cannot be redriven";

/// How people are told that data is encrypted: `encrypted (key k1)`.
[[nodiscard]] std::string describe_encrypted(const EncodedData& data);

}  // namespace tidings
