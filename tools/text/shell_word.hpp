#pragma once

#include <string>
#include <string_view>

namespace tidings::tools {

/// `text` as one word of a shell command, to be shown and pasted: the shell produces unprintable characters,
/// except line feeds at its end.
[[nodiscard]] std::string shell_word(std::string_view text);

/// The same in printable ASCII without a bar, for any bytes that do not end in a line feed:
/// "$(printf -- 'a\174b.db')".
[[nodiscard]] std::string shell_word_of_text(std::string_view text);

}  // namespace tidings::tools
