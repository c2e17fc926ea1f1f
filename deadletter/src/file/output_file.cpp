#include <tidings/deadletter/output_file.hpp>

#include "file/companions.hpp"
#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotMakeOutput = "cannot write to";

[[noreturn]] void refuse_output(const std::filesystem::path& target, const std::string& why) {
  throw unusable(kCannotMakeOutput, target, why, ErrorCode::InvalidArgument);
}

/// Gives it the name unless that is taken. Not every file system supports both ways.
int name_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (::link(from, to) != 0) return -1;
  return ::unlink(from);
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path target, Existing existing,
                       std::span<const DatabaseFiles> databases)
    : target_(std::move(target)), existing_(existing), name_(target_.native() + ".tmp.XXXXXX") {
  if (const std::string why = why_no_output(target_, databases); !why.empty()) refuse_output(target_, why);
  require_replaceable(existing);
  descriptor_ = ::mkostemp(name_.data(), O_CLOEXEC);
  if (descriptor_ < 0) throw_errno();
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!name_.empty()) static_cast<void>(::unlink(name_.c_str()));
}

/// A file that begins like a file of a database counts as one, whichever database it belongs to.
void OutputFile::require_replaceable(Existing existing) const {
  struct stat facts {};
  if (::lstat(target_.c_str(), &facts) != 0) return;
  if (!S_ISREG(facts.st_mode)) refuse_output(target_, "it is not a regular file; give the path of one");
  if (existing == Existing::Refuse) refuse_output(target_, "there is such a file already; give another name");
  const std::string kind = kind_of_database_file(target_);
  if (!kind.empty()) refuse_output(target_, "it is " + kind + "; give another path");
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = ENOSPC;
    if (written <= 0) throw_errno();
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void OutputFile::finish(unsigned mode) {
  if (::fchmod(descriptor_, static_cast<mode_t>(mode)) != 0 || ::fsync(descriptor_) != 0) throw_errno();
  const int result = existing_ == Existing::Replace ? ::rename(name_.c_str(), target_.c_str())
                                                    : name_new(name_.c_str(), target_.c_str());
  if (result != 0) throw_errno();
  name_.clear();
  const auto folder = target_.parent_path();
  sync_folder(folder.empty() ? "." : folder);
}

}  // namespace tidings::deadletter
