#include <tidings/payload_cipher.hpp>

#include <algorithm>

namespace tidings {

bool is_valid_key_id(std::string_view id) noexcept {
  const auto may_stand_in_it = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= EncryptedEnvelope::kMaxKeyId &&
         std::all_of(id.begin(), id.end(), may_stand_in_it);
}

std::optional<EncryptedEnvelope> parse_envelope(std::string_view encrypted) noexcept {
  constexpr std::size_t kFixed = 2;  // the version and the length
  if (encrypted.size() < kFixed || encrypted[0] != EncryptedEnvelope::kVersion) return std::nullopt;
  const std::size_t id_size = static_cast<unsigned char>(encrypted[1]);
  const std::size_t header_size = kFixed + id_size;
  constexpr std::size_t kRest = EncryptedEnvelope::kNonceBytes + EncryptedEnvelope::kTagBytes;
  if (encrypted.size() < header_size + kRest) return std::nullopt;
  EncryptedEnvelope envelope;
  envelope.header = encrypted.substr(0, header_size);
  envelope.key_id = envelope.header.substr(kFixed);
  if (!is_valid_key_id(envelope.key_id)) return std::nullopt;
  envelope.nonce = encrypted.substr(header_size, EncryptedEnvelope::kNonceBytes);
  envelope.ciphertext = encrypted.substr(header_size + EncryptedEnvelope::kNonceBytes);
  return envelope;
}

std::string envelope_header(std::string_view key_id) {
  std::string header{EncryptedEnvelope::kVersion, static_cast<char>(key_id.size())};
  return header += key_id;
}

std::string describe_encrypted(const EncodedData& data) {
  const auto envelope = parse_envelope(data.bytes);
  if (!envelope) return "encrypted, and damaged";
  return "encrypted (key " + std::string(envelope->key_id) + ")";
}

}  // namespace tidings
