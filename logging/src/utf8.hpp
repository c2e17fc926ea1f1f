#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::logging {

/// One character, or one ill-formed piece, of a text.
struct DecodedCharacter {
  char32_t code_point = 0;
  std::uint8_t length = 1;  // in bytes
  bool valid = false;
};

/// Decodes what begins at `at`, which is below text.size(). An ill-formed piece is a "maximal subpart" as
/// Unicode (chapter 3, "U+FFFD Substitution of Maximal Subparts") defines it, so that as many U+FFFD come out
/// as from nlohmann and browsers.
[[nodiscard]] DecodedCharacter decode_utf8(std::string_view text, std::size_t at) noexcept;

void append_utf8(std::string& out, char32_t code_point);

/// The largest size not above `limit` at which `text` can be cut without splitting a character.
[[nodiscard]] std::size_t cut_size(std::string_view text, std::size_t limit) noexcept;

/// Appends the note that a text of `size` bytes was cut.
void append_cut_note(std::string& out, std::size_t size);

}  // namespace tidings::logging
