#pragma once

#include <string>
#include <string_view>

namespace tidings::tools {

/// `text` as one word of a shell command.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace tidings::tools
