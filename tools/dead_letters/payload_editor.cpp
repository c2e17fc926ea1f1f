#include "dead_letters/payload_editor.hpp"

#include "dead_letters/exit_status.hpp"
#include "text/printable.hpp"

#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace tidings::dead_letters {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  return value == nullptr ? std::string() : std::string(value);
}

/// A file that only this user may read, gone with this object.
class PrivateFile {
 public:
  PrivateFile() {
    const std::string folder = environment("TMPDIR");
    path_ = (folder.empty() ? std::string("/tmp") : folder) + "/dead-letter-XXXXXX.json";
    descriptor_ = ::mkstemps(path_.data(), 5);
    if (descriptor_ < 0) {
      throw Refusal(ExitStatus::CannotCreate,
                    "cannot make a file for the editor in " + tools::printable(path_) + ": " +
                        std::generic_category().message(errno) + "; set TMPDIR to a folder of yours");
    }
  }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;
  ~PrivateFile() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void write(const std::string& text) const {
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    if (!(file << text << "\n").flush()) throw Refusal(ExitStatus::InputOutput, "cannot write " + path_);
  }
  /// By name: editors save by replacing the file.
  [[nodiscard]] std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    if (!file)
      throw Refusal(ExitStatus::InputOutput, "the editor left no file " + path_ + "; nothing was edited");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// By the shell, so that EDITOR may hold arguments (`code --wait`); the path is an argument, not part of it.
int run_editor(const std::string& editor, const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string script = editor + " \"$1\"";
    ::execl("/bin/sh", "sh", "-c", script.c_str(), "sh", path.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  if (child < 0) return -1;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Json with_changes(Json payload, const std::vector<std::pair<std::string, std::string>>& changes) {
  for (const auto& [pointer, value] : changes) {
    constexpr bool kThrows = false;
    Json parsed = Json::parse(value, nullptr, kThrows);
    if (parsed.is_discarded()) parsed = value;
    try {
      payload[Json::json_pointer(pointer)] = std::move(parsed);
    } catch (const Json::exception&) {
      throw Refusal(ExitStatus::Usage, "--set: the payload has no place " + tools::printable(pointer, 80) +
                                           ": an array is on the way, or a value that is no object");
    }
  }
  return payload;
}

Json parse_payload(std::string_view text, const std::string& what) {
  try {
    return decode_data(text, DataEncoding::Json);
  } catch (const Error& error) {
    throw Refusal(ExitStatus::Data, what + " is not a JSON document: " + tools::printable(error.what(), 300));
  }
}

std::string edit_in_editor(const std::string& text) {
  std::string editor = environment("VISUAL");
  if (editor.empty()) editor = environment("EDITOR");
  if (editor.empty()) editor = "vi";
  const PrivateFile file;
  file.write(text);
  const int status = run_editor(editor, file.path());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Refusal(ExitStatus::Unavailable,
                  "the editor (" + tools::printable(editor, 80) +
                      ") did not end well; nothing was edited. Set EDITOR, or use --set or --file");
  }
  return file.read();
}

}  // namespace tidings::dead_letters
