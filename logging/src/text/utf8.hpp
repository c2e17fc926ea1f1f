#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::logging {

void append_utf8(std::string& out, char32_t code_point);

/// The largest size not above `limit` at which `text` can be cut without splitting a character.
[[nodiscard]] std::size_t cut_size(std::string_view text, std::size_t limit) noexcept;

/// Appends the note that a text of `size` bytes was cut.
void append_cut_note(std::string& out, std::size_t size);

}  // namespace tidings::logging
