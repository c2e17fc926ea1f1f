#include "architecture/compiler.hpp"

#include "architecture/command.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tidings::architecture {

namespace {

/// A file in a folder for temporary files, with a name that no other process uses, removed at the end.
class TemporarySource {
 public:
  explicit TemporarySource(std::string_view text)
      : path_(std::filesystem::temp_directory_path() / ("tidings-" + std::to_string(getpid()) + ".cpp")) {
    std::ofstream(path_) << text;
  }
  ~TemporarySource() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporarySource(const TemporarySource&) = delete;
  TemporarySource& operator=(const TemporarySource&) = delete;

  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

Compilation compile(std::string_view module, std::string_view options, std::string_view source) {
  const TemporarySource file(source);
  const std::string response_file = std::string(TIDINGS_RESPONSE_FILES "/") + std::string(module) + ".rsp";
  const auto result =
      run_command("LC_ALL=C '" TIDINGS_COMPILER "' -std=c++20 " TIDINGS_COMPILER_FLAGS " -fsyntax-only '@" +
                  response_file + "' " + std::string(options) + " '" + file.path() + "'");
  return {.accepted = result.exit_status == 0, .messages = result.output};
}

}  // namespace

Compilation compile_in(std::string_view module, std::string_view source) {
  return compile(module, "", source);
}

Compilation compile_service(std::string_view source) {
  return compile("bus", "-include '" TIDINGS_SERVICE_HEADER "'", source);
}

}  // namespace tidings::architecture
