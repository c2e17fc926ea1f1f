#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tidings::bench {

/// A new empty folder (below $TMPDIR, else /tmp), removed with all that is in it at the end.
class ScratchFolder {
 public:
  ScratchFolder() : path_(make()) {}
  ~ScratchFolder() {
    std::error_code ignored;  // What cannot be removed stays for the system's own cleaning.
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  static std::filesystem::path make() {
    std::string name = std::filesystem::temp_directory_path() / "tidings-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder like " + name);
    return name;
  }

  std::filesystem::path path_;
};

}  // namespace tidings::bench
