#include <tidings/encryption/file_cipher.hpp>

#include "keys/key_file.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>
#include <utility>
#include <vector>

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

std::int64_t nanoseconds(const ::timespec& time) noexcept {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
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

  Implementation(const std::filesystem::path& path, std::string_view from)
      : name_(path.native()), path_(std::filesystem::absolute(path)), from_(from) {
    const detail::MutexLock lock(mutex_);
    version_ = file_version(path_);
    read();
  }

  [[nodiscard]] const std::string& file() const noexcept { return name_; }
  [[nodiscard]] std::string_view from() const noexcept { return from_; }
  /// In the order of the file; behind them those that it had before.
  [[nodiscard]] std::vector<std::string> ids() const {
    const detail::MutexLock lock(mutex_);
    std::vector<std::string> all;
    for (const NamedKeys* each : in_use_) all.push_back(each->id);
    return all;
  }
  /// What encrypts: the first key of the file as it is now.
  [[nodiscard]] const NamedKeys& first() const {
    const detail::MutexLock lock(mutex_);
    read_if_changed();
    return *in_use_.front();
  }
  [[nodiscard]] std::string_view first_id() const noexcept {
    const detail::MutexLock lock(mutex_);
    return in_use_.front()->id;
  }
  /// Of the file as it is now, or was before. Throws Error(NotDecodable).
  [[nodiscard]] const NamedKeys& find(std::string_view id) const {
    const detail::MutexLock lock(mutex_);
    const NamedKeys* found = find_in_use(id);
    if (found == nullptr) {
      if (!problem_.empty()) version_ = {};  // it may have been for want of a descriptor
      read_if_changed();
      found = find_in_use(id);
    }
    if (found != nullptr) return *found;
    refuse("needs the key '" + std::string(id) + "', which is not in the key file " + name_ +
           (problem_.empty() ? ": add that key's line to it"
                             : ", which has changed and cannot be read: " + problem_));
  }

 private:
  /// What changes with a file's content; all zero if there is no file.
  struct FileVersion {
    ::dev_t device = 0;
    ::ino_t inode = 0;
    ::off_t size = 0;
    std::int64_t written_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const FileVersion&) const = default;
  };
  [[nodiscard]] static FileVersion file_version(const std::filesystem::path& path) noexcept {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
  }

  [[nodiscard]] const NamedKeys* find_in_use(std::string_view id) const TIDINGS_REQUIRES(mutex_) {
    const auto found =
        std::find_if(in_use_.begin(), in_use_.end(), [id](const NamedKeys* each) { return each->id == id; });
    return found == in_use_.end() ? nullptr : *found;
  }

  /// Once for each change of the file. One that cannot be read leaves the keys as they are.
  void read_if_changed() const TIDINGS_REQUIRES(mutex_) {
    const FileVersion now = file_version(path_);
    if (now == version_) return;
    try {
      read();
      problem_.clear();
    } catch (const Error& error) {
      problem_ = error.what();
    }
    version_ = now;
  }

  void read() const TIDINGS_REQUIRES(mutex_) {
    const Secret text = read_key_file(path_);
    std::vector<const NamedKeys*> in_use;
    for (const Key& key : parse_keys(text.text(), name_)) in_use.push_back(&known(key));
    for (const NamedKeys* before : in_use_) {
      const auto is_its_name = [&](const NamedKeys* each) { return each->id == before->id; };
      if (std::none_of(in_use.begin(), in_use.end(), is_its_name)) in_use.push_back(before);
    }
    in_use_ = std::move(in_use);
  }

  [[nodiscard]] const NamedKeys& known(const Key& key) const TIDINGS_REQUIRES(mutex_) {
    Secret for_payloads = derive(key.master, kForPayloads);
    for (const NamedKeys& each : known_) {
      if (each.id == key.id && ::sodium_memcmp(each.for_payloads.data(), for_payloads.data(), kKeyBytes) == 0)
        return each;
    }
    known_.push_back({key.id, std::move(for_payloads), derive(key.master, kForFingerprints)});
    return known_.back();
  }

  const std::string name_;            // as it was given, for messages
  const std::filesystem::path path_;  // whatever the working directory is later
  const std::string_view from_;       // static
  mutable detail::Mutex mutex_;
  mutable FileVersion version_ TIDINGS_GUARDED_BY(mutex_);
  mutable std::string problem_ TIDINGS_GUARDED_BY(mutex_);
  /// Never taken away: what refers to one is valid until the end.
  mutable std::deque<NamedKeys> known_ TIDINGS_GUARDED_BY(mutex_);
  mutable std::vector<const NamedKeys*> in_use_ TIDINGS_GUARDED_BY(mutex_);
};

FileCipher::FileCipher(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
FileCipher::~FileCipher() = default;

std::shared_ptr<const FileCipher> FileCipher::open_from(const std::filesystem::path& path,
                                                        std::string_view from) {
  return std::shared_ptr<const FileCipher>(new FileCipher(std::make_unique<Implementation>(path, from)));
}

std::shared_ptr<const FileCipher> FileCipher::open(const std::filesystem::path& path) {
  return open_from(path, "code");
}

std::shared_ptr<const FileCipher> FileCipher::open_from_environment() {
  const char* const path = std::getenv("TIDINGS_KEY_FILE");  // NOLINT(concurrency-mt-unsafe): at start-up
  return path == nullptr || *path == '\0' ? nullptr : open_from(path, "environment");
}

std::string_view FileCipher::writing_key() const noexcept { return implementation_->first_id(); }

std::vector<std::string> FileCipher::key_ids() const { return implementation_->ids(); }

Json FileCipher::configuration() const {
  Json fields = Json::object();
  fields["key_file"] = implementation_->file();
  fields["key_file_from"] = implementation_->from();
  fields["key_ids"] = key_ids();
  fields["libsodium_version"] = ::sodium_version_string();
  return fields;
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
