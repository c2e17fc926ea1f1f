#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::logging {

/// Makes text from anywhere fit to be stored and shown: invalid UTF-8 becomes U+FFFD, control characters
/// other than LF and tab become `\xNN`, and what exceeds `max_bytes` is cut at a character's end, with ` ...
/// (1048576 bytes in all)` after it (which comes on top of `max_bytes`). The result is valid UTF-8 and safe
/// to print on a terminal.
[[nodiscard]] std::string sanitize_text(std::string_view text, std::size_t max_bytes);

}  // namespace tidings::logging
