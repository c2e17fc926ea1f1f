#include "architecture/tree.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace tidings::architecture {

namespace fs = std::filesystem;

namespace {

bool is_left_behind(const fs::path& folder) {
  static const std::set<std::string> names = {".git", ".cache", ".vscode", ".idea"};
  const std::string name = folder.filename().string();
  return names.contains(name) || name.starts_with("build") || fs::exists(folder / "CMakeCache.txt");
}

TreeFile read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {.path = path.lexically_relative(tree_root()).generic_string(),
          .text = {std::istreambuf_iterator<char>(stream), {}}};
}

std::vector<TreeFile> read_tree() {
  std::vector<TreeFile> files;
  for (auto entry = fs::recursive_directory_iterator(tree_root()); entry != fs::end(entry); ++entry) {
    if (entry->is_directory() && is_left_behind(entry->path())) entry.disable_recursion_pending();
    if (entry->is_regular_file()) files.push_back(read_file(entry->path()));
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace

bool TreeFile::is_source() const { return path.ends_with(".cpp") || path.ends_with(".hpp"); }

bool TreeFile::is_below(std::string_view folder) const { return path.starts_with(std::string(folder) + "/"); }

bool TreeFile::is_public_header() const {
  return path.ends_with(".hpp") && path.find("/include/tidings/") != std::string::npos;
}

fs::path tree_root() { return TIDINGS_SOURCE_DIR; }

const std::vector<TreeFile>& tree_files() {
  static const std::vector<TreeFile> files = read_tree();
  return files;
}

std::vector<std::string> lines_with(const TreeFile& file, std::string_view part) {
  std::vector<std::string> found;
  std::istringstream stream(file.text);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.find(part) != std::string::npos) {
      found.push_back(file.path + ":" + std::to_string(number) + ": " + line);
    }
  }
  return found;
}

}  // namespace tidings::architecture
