#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// Makes text safe for one line of a monitoring plugin's output: like tools::printable, and `|`, which would
/// begin the performance data, becomes `\x7c`.
[[nodiscard]] std::string printable(std::string_view text);

/// The same, cut to at most `limit` bytes of `text`, and then ending in `...`.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

}  // namespace tidings::check_dead_letters
