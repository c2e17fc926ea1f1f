#pragma once

#include <tidings/error.hpp>
#include <tidings/payload_cipher.hpp>

#include <string>
#include <string_view>

namespace tidings::contract {

/// Hides a payload from a search for its text, and from nobody else. Knows for whom it was encrypted.
class XorCipher final : public PayloadCipher {
 public:
  /// Decrypts what is under `older_key` too.
  explicit XorCipher(std::string key_id = "k1", std::string older_key = "")
      : key_id_(std::move(key_id)), older_key_(std::move(older_key)) {}

  [[nodiscard]] EncodedData encrypt(const EncodedData& plain, const PayloadOwner& owner) const override {
    std::string bytes{EncryptedEnvelope::kVersion, static_cast<char>(key_id_.size())};
    bytes += key_id_ + std::string(EncryptedEnvelope::kNonceBytes, 'n');
    bytes += flipped(to_string(plain.encoding)) + flipped("|" + plain.bytes + "|") + bound_to(owner);
    return {bytes + std::string(EncryptedEnvelope::kTagBytes, 't'), DataEncoding::Encrypted, ""};
  }
  [[nodiscard]] EncodedData decrypt(std::string_view encrypted, const PayloadOwner& owner) const override {
    const auto envelope = parse_envelope(encrypted);
    if (!envelope || (envelope->key_id != key_id_ && envelope->key_id != older_key_))
      throw Error(ErrorCode::NotDecodable, "the key is not there");
    std::string text(envelope->ciphertext.substr(0, envelope->ciphertext.size() - 16));
    if (!text.ends_with(bound_to(owner))) throw Error(ErrorCode::NotDecodable, "it is another event's");
    text = flipped(text.substr(0, text.size() - bound_to(owner).size()));
    const auto bar = text.find('|');
    return {text.substr(bar + 1, text.size() - bar - 2), *parse_data_encoding(text.substr(0, bar)), ""};
  }
  [[nodiscard]] std::string_view writing_key() const noexcept override { return key_id_; }
  [[nodiscard]] std::string fingerprint(std::string_view value) const override {
    return key_id_ + ":" + std::to_string(std::hash<std::string_view>()(value));
  }

 private:
  static std::string flipped(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(c ^ 0x55);
    return result;
  }
  static std::string bound_to(const PayloadOwner& owner) {
    return owner.event_id.to_string() + std::string(owner.event_type);
  }
  const std::string key_id_;
  const std::string older_key_;
};

}  // namespace tidings::contract
