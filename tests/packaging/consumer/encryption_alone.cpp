#include <tidings/encryption/file_cipher.hpp>

#include <filesystem>

int main(int, char** arguments) {
  const std::filesystem::path file = std::string(arguments[1]) + ".keys";
  std::filesystem::remove(file);
  tidings::encryption::create_key_file(file);
  const auto cipher = tidings::encryption::FileCipher::open(file);
  const tidings::PayloadOwner owner{"consumer.event", tidings::EventId()};
  const auto encrypted = cipher->encrypt({"{}", tidings::DataEncoding::Json, ""}, owner);
  return cipher->decrypt(encrypted.bytes, owner).bytes == "{}" ? 0 : 1;
}
