#pragma once

#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// `text` in double quotes, as an error message may show it: at most 60 bytes of it, then `...`; whatever is
/// not a visible ASCII character or space, and each quote, as `?`.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace tidings::detail
