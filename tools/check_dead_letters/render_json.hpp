#pragma once

#include "check_dead_letters/check.hpp"

#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// The version of the JSON output, as docs/json-output.md promises it.
inline constexpr int kJsonVersion = 1;

/// One JSON object on one line of ASCII, and a line feed.
[[nodiscard]] std::string render_json(const Report& report);

/// The same when the command line itself is wrong.
[[nodiscard]] std::string render_usage_error_json(std::string_view message);

}  // namespace tidings::check_dead_letters
