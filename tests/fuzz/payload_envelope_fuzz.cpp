#include <tidings/encryption/file_cipher.hpp>
#include <tidings/error.hpp>
#include <tidings/payload_cipher.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

namespace {

/// With a key of its own, which nothing in a corpus is encrypted with.
std::shared_ptr<const tidings::encryption::FileCipher> make_cipher() {
  const auto file = std::filesystem::temp_directory_path() /
                    ("tidings-fuzz-keys-" + std::to_string(static_cast<long>(::getpid())));
  std::filesystem::remove(file);
  tidings::encryption::create_key_file(file);
  auto cipher = tidings::encryption::FileCipher::open(file);
  std::filesystem::remove(file);
  return cipher;
}

/// An envelope is its parts, one after the other.
void check_parts(std::string_view text) {
  const auto envelope = tidings::parse_envelope(text);
  if (!envelope) return;
  FUZZ_CHECK(tidings::is_valid_key_id(envelope->key_id));
  FUZZ_CHECK(tidings::envelope_header(envelope->key_id) == envelope->header);
  FUZZ_CHECK(envelope->ciphertext.size() >= tidings::EncryptedEnvelope::kTagBytes);
  FUZZ_CHECK(std::string(envelope->header) + std::string(envelope->nonce) +
                 std::string(envelope->ciphertext) ==
             text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto cipher = make_cipher();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_parts(text);
  const tidings::EncodedData stored{std::string(text), tidings::DataEncoding::Encrypted, ""};
  for (const char c : tidings::describe_encrypted(stored)) FUZZ_CHECK(c >= ' ' && c <= '~');
  // And where the key is the right one, and nothing else is.
  const auto envelope = tidings::parse_envelope(text);
  const std::string ours = envelope ? tidings::envelope_header(cipher->writing_key()) +
                                          std::string(text.substr(envelope->header.size()))
                                    : std::string(text);
  for (const std::string_view bytes : {text, std::string_view(ours)}) {
    try {
      static_cast<void>(cipher->decrypt(bytes, {"fuzz.event", tidings::EventId()}));
      constexpr bool kDecrypted = true;  // what nobody encrypted
      FUZZ_CHECK(!kDecrypted);
    } catch (const tidings::Error& error) {
      FUZZ_CHECK(error.code() == tidings::ErrorCode::NotDecodable);
    }
  }
  return 0;
}
