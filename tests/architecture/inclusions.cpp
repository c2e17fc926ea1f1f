#include "architecture/inclusions.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <regex>

namespace tidings::architecture {

namespace {

namespace fs = std::filesystem;

/// What stands in quotes is looked for beside the file, and then, like what stands in angle brackets, where
/// the modules keep their headers.
std::optional<std::string> resolve(const std::string& from, const std::string& name, bool quoted,
                                   const std::set<std::string>& paths) {
  if (quoted) {
    const auto beside = (fs::path(from).parent_path() / name).lexically_normal().generic_string();
    if (paths.contains(beside)) return beside;
    const std::string module = module_of(from);
    for (const std::string& folder : {module + "/src/", module + "/", std::string("tests/"), std::string()})
      if (paths.contains(folder + name)) return folder + name;
  }
  const auto found = std::find_if(paths.begin(), paths.end(),
                                  [&](const auto& path) { return path.ends_with("/include/" + name); });
  if (found == paths.end()) return std::nullopt;
  return *found;
}

/// Follows inclusions depth first, and remembers the way.
class CycleSearch {
 public:
  explicit CycleSearch(const Inclusions& inclusions) : inclusions_(inclusions) {
    for (const auto& [path, included] : inclusions) follow(path);
  }
  std::vector<std::string> cycles;

 private:
  void follow(const std::string& path) {
    if (const auto again = std::find(way_.begin(), way_.end(), path); again != way_.end()) {
      std::string cycle;
      for (auto each = again; each != way_.end(); ++each) cycle += *each + " -> ";
      cycles.push_back(cycle + path);
      return;
    }
    if (!seen_.insert(path).second) return;
    way_.push_back(path);
    if (const auto entry = inclusions_.find(path); entry != inclusions_.end()) {
      for (const std::string& included : entry->second)
        if (module_of(included) == module_of(path)) follow(included);
    }
    way_.pop_back();
  }

  const Inclusions& inclusions_;
  std::set<std::string> seen_;
  std::vector<std::string> way_;
};

}  // namespace

std::string module_of(std::string_view path) { return std::string(path.substr(0, path.find('/'))); }

Inclusions inclusions_of(const std::vector<TreeFile>& files) {
  static const std::regex inclusion(R"((?:^|\n)[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])");
  std::set<std::string> paths;
  for (const TreeFile& file : files) paths.insert(file.path);
  Inclusions inclusions;
  for (const TreeFile& file : files) {
    if (!file.is_source()) continue;
    auto& included = inclusions[file.path];
    for (auto match = std::sregex_iterator(file.text.begin(), file.text.end(), inclusion);
         match != std::sregex_iterator(); ++match) {
      if (auto path = resolve(file.path, (*match)[2], (*match)[1] == "\"", paths)) included.insert(*path);
    }
  }
  return inclusions;
}

std::vector<std::string> cycles_in(const Inclusions& inclusions) { return CycleSearch(inclusions).cycles; }

}  // namespace tidings::architecture
