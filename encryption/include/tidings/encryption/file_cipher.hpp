#pragma once

#include <tidings/payload_cipher.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::encryption {

/// Encrypts payloads with keys from a file: XChaCha20-Poly1305 (libsodium), each payload with a random nonce,
/// bound to its event's type and id. Give it to a store as StoreOptions::encryption.
///
/// The file has one key a line, `id:key`, where `id` is 1 to 64 letters, digits, `.`, `_` and `-`, and `key`
/// is 64 hexadecimal digits from a good source of randomness. Empty lines and those that begin with `#` are
/// skipped. The first key encrypts, every key decrypts. create_key_file() and `dead-letters new-key` make
/// such files.
///
/// A file that has changed is read again, once for each change: before something is encrypted, and when a
/// payload names a key that is not known. So a service takes a new key without a restart. Keys that were
/// removed from the file decrypt until the process ends, and a file that cannot be read leaves all keys as
/// they are.
///
/// Keys are kept in memory of libsodium's that is locked and never part of a core dump, and are in no message
/// and no log. Payloads in the process's memory are not protected.
class FileCipher final : public PayloadCipher {
 public:
  /// Throws Error(InvalidArgument): the file cannot be read, others than its user and group may read it, its
  /// group may write to it, or it has a line that is no key.
  [[nodiscard]] static std::shared_ptr<const FileCipher> open(const std::filesystem::path& path);
  /// The file that the environment variable TIDINGS_KEY_FILE names; null if it is not set, or empty.
  [[nodiscard]] static std::shared_ptr<const FileCipher> open_from_environment();

  ~FileCipher() override;

  [[nodiscard]] EncodedData encrypt(const EncodedData& plain, const PayloadOwner& owner) const override;
  [[nodiscard]] EncodedData decrypt(std::string_view encrypted, const PayloadOwner& owner) const override;
  [[nodiscard]] std::string_view writing_key() const noexcept override;
  [[nodiscard]] std::string fingerprint(std::string_view value) const override;
  /// `key_file`, `key_file_from` (`code`, or `environment` of open_from_environment), `key_ids` and
  /// `libsodium_version`.
  [[nodiscard]] Json configuration() const override;

  /// The names of all keys, in the order of the file, as it was read last; then those that it had before.
  [[nodiscard]] std::vector<std::string> key_ids() const;

 private:
  class Implementation;
  explicit FileCipher(std::unique_ptr<Implementation> implementation);
  [[nodiscard]] static std::shared_ptr<const FileCipher> open_from(const std::filesystem::path& path,
                                                                   std::string_view from);
  std::unique_ptr<Implementation> implementation_;
};

/// Makes a key file (mode 0600) with one new key, and returns the key's name. Throws Error(InvalidArgument)
/// if there is a file of that name, or none can be made.
std::string create_key_file(const std::filesystem::path& path);
/// Puts a new key before those of a key file, and returns its name: what is written from now on by processes
/// that read the file is encrypted with it. The file is replaced whole, or stays as it was. Throws
/// Error(InvalidArgument).
std::string add_key(const std::filesystem::path& path);

}  // namespace tidings::encryption
