#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::tools {

/// No line of a help is wider.
inline constexpr std::size_t kHelpWidth = 80;

/// A help as CLI11 makes it, with the descriptions of options and verbs, in the right column, wrapped to
/// kHelpWidth.
[[nodiscard]] std::string fit_help(std::string_view help);

}  // namespace tidings::tools
