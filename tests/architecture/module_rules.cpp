#include "architecture/module_rules.hpp"

#include "architecture/inclusions.hpp"

#include <regex>

namespace tidings::architecture {

namespace {

/// A module, what it stands on, and what that does.
std::set<std::string> reachable(const ModuleTree& modules, const std::string& module) {
  std::set<std::string> found = {module};
  std::vector<std::string> next = {module};
  while (!next.empty()) {
    const auto entry = modules.find(next.back());
    next.pop_back();
    if (entry == modules.end()) continue;
    for (const std::string& below : entry->second)
      if (found.insert(below).second) next.push_back(below);
  }
  return found;
}

/// `tidings::<module>` wherever the module's CMakeLists.txt names one.
std::set<std::string> links_of(const TreeFile& file) {
  static const std::regex target(R"(\btidings::(\w+))");
  std::set<std::string> links;
  for (auto match = std::sregex_iterator(file.text.begin(), file.text.end(), target);
       match != std::sregex_iterator(); ++match) {
    links.insert((*match)[1]);
  }
  return links;
}

bool is_no_module(const std::string& folder) {
  static const std::set<std::string> folders = {"bench", "examples", "tests"};
  return folders.contains(folder);
}

}  // namespace

std::vector<std::string> forbidden_dependencies(const ModuleTree& modules,
                                                const std::vector<TreeFile>& files) {
  std::set<std::string> found;
  std::vector<std::string> broken;
  for (const TreeFile& file : files) {
    const std::string module = module_of(file.path);
    if (!file.is_source() || is_no_module(module)) continue;
    if (found.insert(module).second && !modules.contains(module))
      broken.push_back(module + " is not in the list of modules");
  }
  for (const auto& [module, below] : modules) {
    if (!found.contains(module)) broken.push_back(module + " is in the list of modules, and has no sources");
  }
  for (const auto& [path, included] : inclusions_of(files)) {
    if (is_no_module(module_of(path))) continue;
    const auto allowed = reachable(modules, module_of(path));
    for (const std::string& each : included)
      if (!allowed.contains(module_of(each))) broken.push_back(path + " includes " + each);
  }
  for (const TreeFile& file : files) {
    const std::string module = module_of(file.path);
    if (!modules.contains(module) || !file.path.ends_with("/CMakeLists.txt")) continue;
    const auto allowed = reachable(modules, module);
    for (const std::string& link : links_of(file))
      if (!allowed.contains(link)) broken.push_back(file.path + " links tidings::" + link);
  }
  return broken;
}

}  // namespace tidings::architecture
