#pragma once

#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// The path of a database for the label of a metric. Characters that cannot be shown and `%` are written as
/// their bytes, %XX, so that two paths never have the same label.
[[nodiscard]] std::string database_label(std::string_view path);

/// The same for performance data, in which non-ASCII characters and `'`, `=` and `|` are written as bytes,
/// too.
[[nodiscard]] std::string performance_label(std::string_view path);

}  // namespace tidings::check_dead_letters
