#include "spill/spill_file.hpp"

#include "file/companions.hpp"
#include "file/random_uuid.hpp"
#include "file/sqlite_error.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/ids.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr const char* kCannotOpenSpill = "cannot open the spill file";
constexpr const char* kCannotAppend = "cannot append to the spill file";
constexpr std::string_view kHeaderBegin = R"({"tidings_spill":)";
constexpr std::string_view kHeaderVersion = R"(1,"token":")";
constexpr std::string_view kHeaderEnd = "\"}\n";
constexpr std::size_t kTokenSize = 36;
static_assert(kHeaderBegin.size() + kHeaderVersion.size() + kTokenSize + kHeaderEnd.size() ==
              SpillHeader::kSize);

constexpr std::size_t kCopiedAtOnce = 1024 * 1024;

/// Beyond the end and without moving it, so that the size stays the number of bytes that wait.
int set_aside_beyond_end(int descriptor, off_t offset, off_t count) {
  return ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, count);
}

off_t end_of(const Descriptor& file) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) throw_errno();
  return facts.st_size;
}

bool ends_inside_a_line(const Descriptor& file, off_t end) {
  char last = '\n';
  if (end > 0 && ::pread(file.get(), &last, 1, end - 1) < 0) throw_errno();
  return last != '\n';
}

}  // namespace

FileCalls FileCalls::of_the_system() noexcept {
  return {&::pwrite, &::fsync, &::ftruncate, &set_aside_beyond_end};
}

SpillHeader SpillHeader::make() { return {random_uuid()}; }

std::optional<SpillHeader> SpillHeader::parse(std::string_view begin) {
  if (begin.substr(0, kHeaderBegin.size()) != kHeaderBegin) return std::nullopt;
  const std::string_view rest = begin.substr(kHeaderBegin.size());
  if (rest.size() > 1 && rest[0] >= '2' && rest[0] <= '9') {
    throw Error(ErrorCode::DatabaseUnusable,
                "the spill file was written by a newer tidings; import it with that");
  }
  if (begin.size() < kSize || rest.substr(0, kHeaderVersion.size()) != kHeaderVersion) return std::nullopt;
  const std::string_view token = rest.substr(kHeaderVersion.size(), kTokenSize);
  if (begin.substr(kSize - kHeaderEnd.size(), kHeaderEnd.size()) != kHeaderEnd) return std::nullopt;
  if (!EventId::parse(token)) return std::nullopt;
  return SpillHeader{std::string(token)};
}

std::string SpillHeader::line() const {
  return std::string(kHeaderBegin) + std::string(kHeaderVersion) + token + std::string(kHeaderEnd);
}

std::optional<SpillHeader> SpillHeader::peek(const std::filesystem::path& path) noexcept {
  try {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    std::string begin(kSize, '\0');
    const ssize_t got = file ? ::pread(file.get(), begin.data(), begin.size(), 0) : -1;
    return got == static_cast<ssize_t>(kSize) ? parse(begin) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

SpillFile::Lock::~Lock() { ::flock(file_.get(), LOCK_UN); }

SpillFile::SpillFile(std::filesystem::path path, Options options)
    : path_(std::move(path)), options_(std::move(options)) {}

std::filesystem::path SpillFile::rejects_path() const { return path_.native() + ".rejected.jsonl"; }

void SpillFile::open() {
  try {
    open_descriptor();
    set_space_aside(end_of(file_));
  } catch (const std::system_error& error) {
    throw unusable(kCannotOpenSpill, path_,
                   error.code().message() + "; it needs a folder that this user may write, see spill_path");
  }
}

/// Creates the file with exactly this mode, or opens the one that is there, if it is guarded: its lines
/// become letters, which are delivered.
Descriptor SpillFile::open_or_create(const std::filesystem::path& path, unsigned mode) const {
  Descriptor opened;
  // Twice, should another process remove the file between the two calls.
  for (int tries = 0; !create_file(path, mode, &opened); ++tries) {
    opened = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (opened) break;
    if (errno != ENOENT || tries > 0) throw_errno();
  }
  struct stat facts {};
  if (::fstat(opened.get(), &facts) != 0) throw_errno();
  if (!S_ISREG(facts.st_mode)) {
    throw unusable(kCannotOpenSpill, path, "it is not a regular file; give another spill_path");
  }
  require_guarded(kCannotOpenSpill, path, facts, options_.database);
  return opened;
}

void SpillFile::open_descriptor() { file_ = open_or_create(path_, options_.mode); }

void SpillFile::set_space_aside(off_t end) const noexcept {
  if (options_.reserve == 0) return;
  // The reserve is best effort: not every file system supports it, and a full disk has no room for it.
  static_cast<void>(options_.calls.set_aside(file_.get(), end, static_cast<off_t>(options_.reserve)));
}

SpillFile::Lock SpillFile::lock(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (!file_.is_at(path_)) open_descriptor();
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
      // The file was replaced during the wait: this one is no longer at the path.
      if (file_.is_at(path_)) return Lock(file_);
      ::flock(file_.get(), LOCK_UN);
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno();
    if (std::chrono::steady_clock::now() >= deadline) {
      throw unusable(kCannotAppend, path_, "another process has locked it for too long",
                     ErrorCode::DatabaseBusy);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void SpillFile::write_all(const Descriptor& file, std::string_view bytes, off_t offset) const {
  while (!bytes.empty()) {
    const ssize_t count = options_.calls.write_at(file.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) throw_errno();
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
}

void SpillFile::sync(const Descriptor& file) const {
  if (options_.calls.sync(file.get()) != 0) throw_errno();
}

std::vector<std::string> SpillFile::append(std::span<const std::string> lines) {
  std::vector<std::string> problems(lines.size());
  if (lines.empty()) return problems;
  try {
    const Lock held = lock(options_.lock_timeout);
    append_locked(lines, problems);
  } catch (const std::system_error& error) {
    problems.assign(lines.size(), unusable(kCannotAppend, path_, error.code().message()).what());
  } catch (const Error& error) {
    problems.assign(lines.size(), error.what());
  }
  return problems;
}

void SpillFile::append_locked(std::span<const std::string> lines, std::vector<std::string>& problems) {
  const off_t before = end_of(file_);
  off_t offset = before;
  // A line that was cut off by the death of another process stays, as a line of its own; it was never
  // acknowledged.
  std::string prefix = ends_inside_a_line(file_, before) ? "\n" : "";
  if (before == 0) prefix = SpillHeader::make().line();
  bool gave_space_back = false;
  tidings::detail::kill_point("spill.before_write");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string bytes = prefix + lines[i] + "\n";
    try {
      write_all(file_, bytes, offset);
      offset += static_cast<off_t>(bytes.size());
      prefix.clear();
    } catch (const std::system_error& error) {
      problems[i] = unusable(kCannotAppend, path_, error.code().message()).what();
      if (options_.calls.truncate(file_.get(), offset) != 0) throw_errno();
      gave_space_back = true;
    }
  }
  tidings::detail::kill_point("spill.written");
  if (options_.calls.sync(file_.get()) != 0) {
    const std::system_error error(errno, std::generic_category());
    static_cast<void>(options_.calls.truncate(file_.get(), before));
    throw std::system_error(error);
  }
  tidings::detail::kill_point("spill.synced");
  if (gave_space_back) set_space_aside(offset);
}

std::uint64_t SpillFile::size() const { return static_cast<std::uint64_t>(end_of(file_)); }

std::string SpillFile::token() {
  for (;;) {
    std::string begin;
    read(0, SpillHeader::kSize, begin);
    if (auto header = SpillHeader::parse(begin)) return std::move(header->token);
    add_header();
  }
}

/// The lock follows the name: the copy is locked before it gets the name, and a process that gets the old
/// file's lock sees that the file has lost the name.
void SpillFile::add_header() {
  const std::filesystem::path unfinished = path_.native() + ".unfinished";
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw_errno();
  static_cast<void>(::unlink(unfinished.c_str()));
  Descriptor copy;
  if (!create_file(unfinished, facts.st_mode & 0777U, &copy)) throw_errno();
  if (::flock(copy.get(), LOCK_EX | LOCK_NB) != 0) throw_errno();
  const std::string header = SpillHeader::make().line();
  write_all(copy, header, 0);
  copy_to(copy, static_cast<off_t>(header.size()));
  sync(copy);
  std::filesystem::rename(unfinished, path_);
  sync_folder(path_.parent_path());
  file_ = std::move(copy);
}

void SpillFile::copy_to(const Descriptor& target, off_t offset) const {
  std::string bytes;
  for (std::uint64_t from = 0;; from += bytes.size()) {
    read(from, kCopiedAtOnce, bytes);
    if (bytes.empty()) return;
    write_all(target, bytes, offset + static_cast<off_t>(from));
  }
}

void SpillFile::read(std::uint64_t offset, std::size_t count, std::string& bytes) const {
  bytes.resize(count);
  std::size_t got = 0;
  while (got < count) {
    const ssize_t result =
        ::pread(file_.get(), bytes.data() + got, count - got, static_cast<off_t>(offset + got));
    if (result < 0 && errno == EINTR) continue;
    if (result < 0) throw_errno();
    if (result == 0) break;
    got += static_cast<std::size_t>(result);
  }
  bytes.resize(got);
}

void SpillFile::set_aside(std::span<const std::string_view> lines) const {
  if (lines.empty()) return;
  try {
    append_rejects(lines);
  } catch (const std::system_error& error) {
    throw unusable("cannot set aside what is no letter in", rejects_path(),
                   error.code().message() + "; it waits in the spill file");
  }
}

void SpillFile::append_rejects(std::span<const std::string_view> lines) const {
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw_errno();
  const Descriptor file = open_or_create(rejects_path(), facts.st_mode & 0777U);
  const off_t end = end_of(file);
  std::string bytes = ends_inside_a_line(file, end) ? "\n" : "";
  for (const std::string_view line : lines) bytes.append(line).append("\n");
  write_all(file, bytes, end);
  sync(file);
}

void SpillFile::clear() {
  if (options_.calls.truncate(file_.get(), 0) != 0) throw_errno();
  tidings::detail::kill_point("import.emptied");
  sync(file_);
  set_space_aside(0);
}

}  // namespace tidings::deadletter
