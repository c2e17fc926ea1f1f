#pragma once

#include <string>
#include <string_view>

namespace tidings::architecture {

/// C++ without its comments and preprocessor lines, and with empty literals: what is left has only the braces
/// and parentheses of the language itself.
[[nodiscard]] std::string code_of(std::string_view text);

}  // namespace tidings::architecture
