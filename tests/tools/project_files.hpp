#pragma once

#include "tools/temporary_folder.hpp"

#include <filesystem>
#include <string>

namespace tidings::check_dead_letters {

/// Where a file of this repository is, by its path from the root.
inline std::string project_path(const std::string& path) {
  return (std::filesystem::path(__FILE__).parent_path() / "../.." / path).lexically_normal().string();
}

/// Its text; empty if there is none.
inline std::string project_file(const std::string& path) { return read_file(project_path(path)); }

}  // namespace tidings::check_dead_letters
