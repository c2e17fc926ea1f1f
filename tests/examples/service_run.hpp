#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace webhooks {

/// An empty folder of its own, removed in the end.
class WorkFolder {
 public:
  WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// Writes a file and gives its path.
  [[nodiscard]] std::filesystem::path write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// What one run of the program `webhooks` left.
struct ServiceRun {
  int status = -1;
  std::string output;    ///< Standard output.
  std::string messages;  ///< Standard error.
  nlohmann::json summary;
  std::string log;
};

/// Runs `webhooks ARGUMENTS`, with the database, the log and the summary in `folder`. `arguments` is shell
/// text.
[[nodiscard]] ServiceRun run_service(const WorkFolder& folder, const std::string& arguments);

/// A path as one word of shell text.
[[nodiscard]] std::string shell_word(const std::filesystem::path& path);

}  // namespace webhooks
