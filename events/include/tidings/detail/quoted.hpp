#pragma once

#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// `text` in double quotes, safe for an error message: at most 60 bytes of it, then `...`. A quote, and
/// anything but a visible ASCII character or a space, appears as `?`.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace tidings::detail
