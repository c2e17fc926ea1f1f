#include <tidings/error.hpp>
#include <tidings/ids.hpp>
#include <tidings/logging/text.hpp>
#include <tidings/telemetry/metrics_text.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tidings::telemetry {

namespace {

constexpr mode_t kReadableForAll = 0644;
constexpr std::size_t kMostPathBytes = 1024;

/// A file that is removed unless it was renamed.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        descriptor_(
            ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kReadableForAll)) {
    if (descriptor_ < 0) fail("make");
  }
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view text) {
    if (::fchmod(descriptor_, kReadableForAll) != 0) fail("make readable");  // whatever the umask says
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write");
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void rename_to(const std::string& path) {
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("write");
    if (::rename(path_.c_str(), path.c_str()) != 0) fail("rename");
    renamed_ = true;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const int error = errno;
    const bool no_room = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw Error(
        ErrorCode::DatabaseUnusable,
        "cannot " + std::string(what) + " '" + logging::sanitize_text(path_, kMostPathBytes) +
            "': " + std::generic_category().message(error) +
            (no_room ? "; free some space there, or raise the quota or limit of file sizes (ulimit -f)"
                     : "; the folder of the metrics file must exist and be writable"));
  }

  const std::string path_;
  int descriptor_;
  bool renamed_ = false;
};

}  // namespace

void write_metrics_file(const std::filesystem::path& path, const Metrics& metrics, const MoreMetrics& more) {
  if (path.extension() != ".prom" || path.stem().empty()) {
    throw Error(
        ErrorCode::InvalidArgument,
        "the name of a metrics file ends in .prom: node_exporter's textfile collector reads no other");
  }
  std::ostringstream text;
  write_metrics(text, metrics, MetricsFormat::PrometheusText, more);
  NewFile file(path.native() + "." + std::to_string(::getpid()) + "-" + std::to_string(random_bits()) +
               ".new");
  file.write(std::move(text).str());
  file.rename_to(path.native());
}

}  // namespace tidings::telemetry
