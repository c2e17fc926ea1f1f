#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::tools {

/// Text from a database, a path or a command line, made safe for one line of a terminal: control characters,
/// line breaks, bytes that are not UTF-8, and characters that reorder or hide text become escapes (`\n`,
/// `\x1b`, `\u202e`). Other UTF-8 stays as it is.
[[nodiscard]] std::string printable(std::string_view text);

/// The same, cut to at most `limit` bytes of `text`, and then ending in `...`.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

}  // namespace tidings::tools
