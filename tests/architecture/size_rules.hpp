#pragma once

#include "architecture/tree.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace tidings::architecture {

/// A source file is shorter.
inline constexpr std::size_t kLinesOfAFile = 500;
[[nodiscard]] std::vector<std::string> long_files(const std::vector<TreeFile>& files);

inline constexpr std::size_t kMostFilesOfAFolder = 20;
/// How many source files a folder may have that has more: no more than it had when it was listed.
using FolderAllowances = std::map<std::string, std::size_t>;
/// Folders of a module's src/, and src/ itself, that have too many source files, and allowances that are not
/// needed any more. What is in folders below a folder is theirs.
[[nodiscard]] std::vector<std::string> crowded_folders(const std::vector<TreeFile>& files,
                                                       const FolderAllowances& allowances);

}  // namespace tidings::architecture
