#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::tools {

/// The columns of a terminal that `text` takes, which is valid UTF-8 without control characters: see
/// printable().
[[nodiscard]] std::size_t display_width(std::string_view text);

/// `text` cut to at most `width` columns, and then ending in `...` (in dots alone where that does not fit).
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t width);

/// `text` in lines of at most `width` columns, broken at spaces where there are some.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width);

}  // namespace tidings::tools
