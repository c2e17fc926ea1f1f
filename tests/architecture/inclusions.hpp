#pragma once

#include "architecture/tree.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::architecture {

/// The first folder of a path.
[[nodiscard]] std::string module_of(std::string_view path);

/// For each source file the files of the tree that it includes; what is not in the tree is left out.
using Inclusions = std::map<std::string, std::set<std::string>>;
[[nodiscard]] Inclusions inclusions_of(const std::vector<TreeFile>& files);

/// `a -> b -> a` for each edge that closes a circle of inclusions within one module.
[[nodiscard]] std::vector<std::string> cycles_in(const Inclusions& inclusions);

}  // namespace tidings::architecture
