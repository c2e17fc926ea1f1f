#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::logging {

/// Makes untrusted text safe to store and to show: invalid UTF-8 becomes U+FFFD, control characters other
/// than LF and tab become `\xNN`, and text beyond `max_bytes` is cut at a character's end. ` ... (1048576
/// bytes in all)` follows the cut and does not count towards `max_bytes`. The result is valid UTF-8 and safe
/// to print on a terminal.
[[nodiscard]] std::string sanitize_text(std::string_view text, std::size_t max_bytes);

}  // namespace tidings::logging
