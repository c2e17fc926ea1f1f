#pragma once

#include "architecture/tree.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace tidings::architecture {

/// For each module those that it stands on: it may use them, and what they stand on.
using ModuleTree = std::map<std::string, std::set<std::string>>;

/// What breaks the rules of the modules, one line each: an inclusion or a link that the tree does not allow,
/// a folder of sources that is no module, a module that is not there.
[[nodiscard]] std::vector<std::string> forbidden_dependencies(const ModuleTree& modules,
                                                              const std::vector<TreeFile>& files);

}  // namespace tidings::architecture
