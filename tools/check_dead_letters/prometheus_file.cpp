#include "check_dead_letters/prometheus_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace tidings::check_dead_letters {
namespace {

constexpr mode_t kMode = 0644;
constexpr std::string_view kSqliteMagic{"SQLite format 3\0", 16};

/// Closes what it holds, and removes the file unless it was kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : name_(target + ".tmp.XXXXXX") {
    descriptor_ = ::mkostemp(name_.data(), O_CLOEXEC);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    if (!kept_) ::unlink(name_.c_str());
  }

  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  [[nodiscard]] bool fill(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return ::fchmod(descriptor_, kMode) == 0 && ::fsync(descriptor_) == 0;
  }

  [[nodiscard]] bool rename_to(const std::string& target) {
    kept_ = ::rename(name_.c_str(), target.c_str()) == 0;
    return kept_;
  }

 private:
  std::string name_;
  int descriptor_ = -1;
  bool kept_ = false;
};

std::string failed(const std::string& path, const char* advice) {
  const int error = errno;
  return "could not write the metrics to " + path + ": " + std::generic_category().message(error) + "; " +
         advice;
}

std::filesystem::path normal(const std::string& path) {
  std::error_code ignored;  // of a folder that is missing; then the path as it was given will do
  auto result = std::filesystem::weakly_canonical(path, ignored);
  return result.empty() ? std::filesystem::path(path).lexically_normal() : result;
}

bool belongs_to_database(const std::string& path, const std::vector<std::string>& databases) {
  for (const std::string& database : databases) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal", ".spill.jsonl"}) {
      if (normal(path) == normal(database + suffix)) return true;
    }
  }
  return false;
}

bool begins_like_a_database(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  std::array<char, kSqliteMagic.size()> start{};
  const ssize_t count = ::read(descriptor, start.data(), start.size());
  ::close(descriptor);
  return count == static_cast<ssize_t>(start.size()) &&
         std::string_view(start.data(), start.size()) == kSqliteMagic;
}

std::optional<std::string> refuse_target(const std::string& path, const std::vector<std::string>& databases) {
  struct stat status {};
  const bool exists = ::lstat(path.c_str(), &status) == 0;
  const std::string start = "refused to write the metrics to " + path + ": ";
  if (belongs_to_database(path, databases)) return start + "it belongs to a database; name a file of its own";
  if (!exists) return std::nullopt;
  if (!S_ISREG(status.st_mode))
    return start + "it is not a regular file; name a file in the collector's folder";
  if (begins_like_a_database(path)) return start + "it is an SQLite database; name a file of its own";
  return std::nullopt;
}

/// So that the rename survives a power cut.
bool sync_folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const bool synced = ::fsync(folder) == 0;
  const int error = errno;
  ::close(folder);
  errno = error;
  return synced;
}

}  // namespace

std::optional<std::string> write_prometheus_file(const std::string& path, const std::string& text,
                                                 const std::vector<std::string>& databases) {
  if (auto refusal = refuse_target(path, databases)) return refusal;
  TemporaryFile file(path);
  if (!file.is_open())
    return failed(path, "the folder must exist, and this user must be allowed to write there");
  if (!file.fill(text)) return failed(path, "free some space, or name another folder");
  if (!file.rename_to(path)) return failed(path, "this user must be allowed to replace the file");
  if (!sync_folder_of(path)) return failed(path, "check the disk");
  return std::nullopt;
}

}  // namespace tidings::check_dead_letters
