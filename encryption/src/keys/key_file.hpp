#pragma once

#include "keys/secret.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::encryption {

inline constexpr std::size_t kKeyBytes = 32;

struct Key {
  std::string id;
  /// What the file has: the key that others are derived from.
  Secret master{kKeyBytes};
};

/// The keys of a key file's text; at least one. Throws Error(InvalidArgument), naming `file` and the line,
/// and nothing of what is in it.
[[nodiscard]] std::vector<Key> parse_keys(std::string_view text, std::string_view file);

/// The text of a key file. Throws Error(InvalidArgument).
[[nodiscard]] Secret read_key_file(const std::filesystem::path& path);

}  // namespace tidings::encryption
