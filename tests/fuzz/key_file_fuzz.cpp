#include "keys/key_file.hpp"

#include <tidings/error.hpp>
#include <tidings/payload_cipher.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidings::encryption::require_sodium();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto keys = tidings::encryption::parse_keys(text, "keys");
    FUZZ_CHECK(!keys.empty());
    std::set<std::string> ids;
    for (const auto& key : keys) FUZZ_CHECK(tidings::is_valid_key_id(key.id) && ids.insert(key.id).second);
  } catch (const tidings::Error& error) {
    FUZZ_CHECK(error.code() == tidings::ErrorCode::InvalidArgument);
    // Nothing of the file: its lines are keys, however they are misspelt.
    FUZZ_CHECK(std::string_view(error.what()).starts_with("key file \"keys\": "));
    FUZZ_CHECK(std::string_view(error.what()).size() < 120);
  }
  return 0;
}
