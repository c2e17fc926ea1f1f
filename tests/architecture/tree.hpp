#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::architecture {

/// One file of the repository.
struct TreeFile {
  /// Relative to the root, with slashes.
  std::string path;
  std::string text;

  [[nodiscard]] bool is_source() const;
  [[nodiscard]] bool is_below(std::string_view folder) const;
  [[nodiscard]] bool is_public_header() const;
};

/// The root of the repository.
[[nodiscard]] std::filesystem::path tree_root();

/// Every file that belongs to the repository, by path: all but what builds, editors and version control leave
/// there.
[[nodiscard]] const std::vector<TreeFile>& tree_files();

/// `path:line: text` of each line of `file` that contains `part`.
[[nodiscard]] std::vector<std::string> lines_with(const TreeFile& file, std::string_view part);

}  // namespace tidings::architecture
