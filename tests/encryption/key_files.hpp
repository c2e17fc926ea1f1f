#pragma once

#include "deadletter/temporary_folder.hpp"

#include <tidings/encryption/file_cipher.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace tidings::encryption {

using deadletter::read_file;
using deadletter::TemporaryFolder;

/// 64 hexadecimal digits, of one kind.
[[nodiscard]] inline std::string key_of(char digit) { return std::string(64, digit); }

class KeyFileTest : public testing::Test {
 protected:
  /// A key file with this text.
  [[nodiscard]] std::filesystem::path key_file(const std::string& text, ::mode_t mode = 0600) const {
    const auto path = folder_.path("keys");
    deadletter::write_file(path, text);
    ::chmod(path.c_str(), mode);
    return path;
  }
  [[nodiscard]] std::shared_ptr<const FileCipher> cipher(const std::string& text) const {
    return FileCipher::open(key_file(text));
  }

  TemporaryFolder folder_;
};

}  // namespace tidings::encryption
