#include <tidings/encryption/file_cipher.hpp>

#include "keys/key_file.hpp"

#include <tidings/error.hpp>

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace tidings::encryption {

namespace {

static_assert(kKeyBytes == crypto_kdf_KEYBYTES);
static_assert(EncryptedEnvelope::kNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(EncryptedEnvelope::kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

// What a derived key is for: crypto_kdf's context, and its numbers.
constexpr const char* kContext = "tidings_";
constexpr std::uint64_t kForPayloads = 1;
constexpr std::uint64_t kForFingerprints = 2;

// The first byte of what is encrypted says how the rest is written.
constexpr char kJsonMark = 'j';
constexpr char kCborMark = 'c';

constexpr std::size_t kFingerprintBytes = 16;

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

Secret derive(const Secret& master, std::uint64_t purpose) {
  Secret key(kKeyBytes);
  ::crypto_kdf_derive_from_key(key.bytes().data(), kKeyBytes, purpose, kContext, master.data());
  key.seal();
  return key;
}

/// A text with a payload in it, wiped at its end.
struct PlainText {
  std::string text;
  PlainText() = default;
  PlainText(const PlainText&) = delete;
  PlainText& operator=(const PlainText&) = delete;
  ~PlainText() { ::sodium_memzero(text.data(), text.size()); }
};

/// What a ciphertext is bound to. The id has one length, so that nothing can be moved from it to the type.
std::string bound_to(std::string_view header, const PayloadOwner& owner) {
  std::string data(header);
  data += owner.event_id.to_string();
  data += owner.event_type;
  return data;
}

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::NotDecodable, "the encrypted payload " + problem);
}

}  // namespace

class FileCipher::Implementation {
 public:
  struct NamedKeys {
    std::string id;
    Secret for_payloads;
    Secret for_fingerprints;
  };

  Implementation(const std::vector<Key>& keys, std::string file, std::string_view from)
      : file_(std::move(file)), from_(from) {
    keys_.reserve(keys.size());
    for (const Key& key : keys)
      keys_.push_back({key.id, derive(key.master, kForPayloads), derive(key.master, kForFingerprints)});
  }

  [[nodiscard]] const std::vector<NamedKeys>& all() const noexcept { return keys_; }
  [[nodiscard]] const NamedKeys& first() const noexcept { return keys_.front(); }
  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::string_view from() const noexcept { return from_; }
  /// Throws Error(NotDecodable).
  [[nodiscard]] const NamedKeys& find(std::string_view id) const {
    const auto found =
        std::find_if(keys_.begin(), keys_.end(), [id](const NamedKeys& each) { return each.id == id; });
    if (found != keys_.end()) return *found;
    refuse("needs the key '" + std::string(id) + "', which is not in the key file " + file_ +
           ": add that key's line to it");
  }

 private:
  std::vector<NamedKeys> keys_;
  const std::string file_;
  const std::string_view from_;  // static
};

FileCipher::FileCipher(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
FileCipher::~FileCipher() = default;

std::shared_ptr<const FileCipher> FileCipher::open_from(const std::filesystem::path& path,
                                                        std::string_view from) {
  const Secret text = read_key_file(path);
  auto implementation =
      std::make_unique<Implementation>(parse_keys(text.text(), path.native()), path.native(), from);
  return std::shared_ptr<const FileCipher>(new FileCipher(std::move(implementation)));
}

std::shared_ptr<const FileCipher> FileCipher::open(const std::filesystem::path& path) {
  return open_from(path, "code");
}

std::shared_ptr<const FileCipher> FileCipher::open_from_environment() {
  const char* const path = std::getenv("TIDINGS_KEY_FILE");  // NOLINT(concurrency-mt-unsafe): at start-up
  return path == nullptr || *path == '\0' ? nullptr : open_from(path, "environment");
}

std::string_view FileCipher::writing_key() const noexcept { return implementation_->first().id; }

std::vector<std::string> FileCipher::key_ids() const {
  std::vector<std::string> ids;
  for (const auto& key : implementation_->all()) ids.push_back(key.id);
  return ids;
}

Json FileCipher::configuration() const {
  return {{"key_file", implementation_->file()},
          {"key_file_from", std::string(implementation_->from())},
          {"key_ids", key_ids()},
          {"libsodium_version", ::sodium_version_string()}};
}

EncodedData FileCipher::encrypt(const EncodedData& plain, const PayloadOwner& owner) const {
  if (plain.encoding != DataEncoding::Json && plain.encoding != DataEncoding::Cbor)
    throw Error(ErrorCode::NotEncodable, "there is no payload in JSON or CBOR to encrypt");
  const auto& key = implementation_->first();
  EncodedData data{envelope_header(key.id), DataEncoding::Encrypted, ""};
  const std::string bound = bound_to(data.bytes, owner);
  PlainText marked;
  marked.text.reserve(plain.bytes.size() + 1);
  marked.text += plain.encoding == DataEncoding::Json ? kJsonMark : kCborMark;
  marked.text += plain.bytes;
  const std::size_t header_size = data.bytes.size();
  const std::size_t text_at = header_size + EncryptedEnvelope::kNonceBytes;
  data.bytes.resize(text_at + marked.text.size() + EncryptedEnvelope::kTagBytes);
  unsigned char* const nonce = bytes_of(data.bytes) + header_size;
  ::randombytes_buf(nonce, EncryptedEnvelope::kNonceBytes);
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(data.bytes) + text_at, nullptr, bytes_of(marked.text),
                                               marked.text.size(), bytes_of(bound), bound.size(), nullptr,
                                               nonce, key.for_payloads.data());
  return data;
}

EncodedData FileCipher::decrypt(std::string_view encrypted, const PayloadOwner& owner) const {
  const auto envelope = parse_envelope(encrypted);
  if (!envelope) refuse("is damaged: it is not what tidings writes");
  const auto& key = implementation_->find(envelope->key_id);
  const std::string bound = bound_to(envelope->header, owner);
  PlainText marked;
  marked.text.resize(envelope->ciphertext.size() - EncryptedEnvelope::kTagBytes);
  const bool opened = ::crypto_aead_xchacha20poly1305_ietf_decrypt(
                          bytes_of(marked.text), nullptr, nullptr, bytes_of(envelope->ciphertext),
                          envelope->ciphertext.size(), bytes_of(bound), bound.size(),
                          bytes_of(envelope->nonce), key.for_payloads.data()) == 0;
  if (!opened) {
    refuse("cannot be decrypted with the key '" + key.id +
           "': its bytes were changed, it is another event's, or the key file has another key of that name");
  }
  const bool known = !marked.text.empty() && (marked.text[0] == kJsonMark || marked.text[0] == kCborMark);
  if (!known) refuse("is of a newer tidings");
  return {marked.text.substr(1), marked.text[0] == kJsonMark ? DataEncoding::Json : DataEncoding::Cbor, ""};
}

std::string FileCipher::fingerprint(std::string_view value) const {
  const auto& key = implementation_->first();
  std::array<unsigned char, kFingerprintBytes> hash{};
  ::crypto_generichash(hash.data(), hash.size(), bytes_of(value), value.size(), key.for_fingerprints.data(),
                       key.for_fingerprints.size());
  std::array<char, 2 * kFingerprintBytes + 1> hex{};
  return key.id + ":" + ::sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
}

}  // namespace tidings::encryption
