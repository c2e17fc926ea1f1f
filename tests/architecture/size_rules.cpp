#include "architecture/size_rules.hpp"

#include "architecture/inclusions.hpp"

#include <algorithm>
#include <filesystem>

namespace tidings::architecture {

std::vector<std::string> long_files(const std::vector<TreeFile>& files) {
  std::vector<std::string> found;
  for (const TreeFile& file : files) {
    const auto lines = static_cast<std::size_t>(std::count(file.text.begin(), file.text.end(), '\n'));
    if (file.is_source() && lines >= kLinesOfAFile)
      found.push_back(file.path + " has " + std::to_string(lines) + " lines");
  }
  return found;
}

std::vector<std::string> crowded_folders(const std::vector<TreeFile>& files,
                                         const FolderAllowances& allowances) {
  std::map<std::string, std::size_t> counts;
  for (const TreeFile& file : files) {
    if (file.is_source() && file.is_below(module_of(file.path) + "/src"))
      ++counts[std::filesystem::path(file.path).parent_path().generic_string()];
  }
  std::vector<std::string> found;
  for (const auto& [folder, count] : counts) {
    const auto allowed = allowances.find(folder);
    const std::size_t most = allowed == allowances.end() ? kMostFilesOfAFolder : allowed->second;
    if (count > most)
      found.push_back(folder + " has " + std::to_string(count) + " files of " + std::to_string(most));
  }
  for (const auto& [folder, most] : allowances)
    if (counts[folder] <= kMostFilesOfAFolder) found.push_back(folder + " needs no allowance any more");
  return found;
}

}  // namespace tidings::architecture
