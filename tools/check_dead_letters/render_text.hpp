#pragma once

#include "check_dead_letters/check.hpp"

#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// The output of a monitoring plugin: the first line with its performance data, and with -v more lines. Ends
/// in a line feed.
[[nodiscard]] std::string render_text(const Report& report);

/// The first line's text without state and performance data: `7 unresolved in the last 1h (oldest 42m)`.
[[nodiscard]] std::string summary(const Report& report);

/// The output when the command line itself is wrong.
[[nodiscard]] std::string render_usage_error_text(std::string_view message);

}  // namespace tidings::check_dead_letters
