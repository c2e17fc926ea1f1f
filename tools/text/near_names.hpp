#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidings::tools {

/// Those of `known` that somebody may have meant who wrote `name`: at most three, the nearest first.
[[nodiscard]] std::vector<std::string> near_names(std::string_view name,
                                                  const std::vector<std::string>& known);

}  // namespace tidings::tools
