#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidings::tools {

/// The names in `known` that `name` may be a misspelling of: at most three, the nearest first.
[[nodiscard]] std::vector<std::string> near_names(std::string_view name,
                                                  const std::vector<std::string>& known);

}  // namespace tidings::tools
