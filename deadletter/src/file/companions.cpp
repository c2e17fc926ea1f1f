#include "file/companions.hpp"

#include "file/file_system.hpp"
#include "file/sqlite_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

namespace tidings::deadletter {
namespace {

constexpr std::array<std::string_view, 3> kOfSqlite = {"-wal", "-shm", "-journal"};
/// Files that are made beside a database while it is used or repaired.
constexpr std::array<std::string_view, 6> kBesideDatabase = {"-wal",   "-shm",        "-journal",
                                                             ".owner", ".unfinished", ".restoring"};
constexpr std::array<std::string_view, 2> kBesideSpill = {".rejected.jsonl", ".unfinished"};
constexpr std::string_view kUsualSpill = ".spill.jsonl";

/// The folder's links are resolved, the file's own is not.
std::filesystem::path place_of(const std::filesystem::path& path) {
  std::error_code problem;
  const auto folder =
      std::filesystem::weakly_canonical(path.has_parent_path() ? path.parent_path() : ".", problem);
  return problem ? path.lexically_normal() : folder / path.filename();
}

/// Follows a link even if its target does not exist yet.
std::filesystem::path resolved(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;  // as the kernel
  std::error_code is_no_link;
  auto whole = place_of(path);
  for (int links = 0; links < kMostLinks; ++links) {
    const auto next = std::filesystem::read_symlink(whole, is_no_link);
    if (is_no_link) break;
    whole = place_of(whole.parent_path() / next);
  }
  return whole;
}

void add_with(std::vector<std::filesystem::path>& all, const std::filesystem::path& path,
              std::span<const std::string_view> suffixes) {
  all.push_back(path);
  for (const std::string_view suffix : suffixes) all.emplace_back(path.native() + std::string(suffix));
}

std::vector<std::filesystem::path> all_files(const DatabaseFiles& files) {
  std::vector<std::filesystem::path> all;
  const auto database = resolved(files.database);
  add_with(all, database, kBesideDatabase);
  add_with(all, database.native() + std::string(kUsualSpill), kBesideSpill);
  for (const auto& spill : files.spills) add_with(all, resolved(spill), kBesideSpill);
  return all;
}

bool is_regular(const std::filesystem::path& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

/// The file that such a name belongs to, if there is one.
std::filesystem::path owner_of_name(const std::filesystem::path& path) {
  std::vector<std::string> suffixes(kBesideDatabase.begin(), kBesideDatabase.end());
  suffixes.emplace_back(kUsualSpill);
  for (const auto suffix : kBesideSpill) suffixes.push_back(std::string(kUsualSpill) + std::string(suffix));
  const std::string& name = path.native();
  for (const std::string& suffix : suffixes) {
    if (!path.filename().native().ends_with(suffix) || path.filename().native() == suffix) continue;
    std::filesystem::path owner = name.substr(0, name.size() - suffix.size());
    if (is_regular(owner)) return owner;
  }
  return {};
}

bool is_one_of(const DatabaseFiles& files, const std::filesystem::path& target) {
  const auto identity = FileIdentity::of(target);
  const auto all = all_files(files);
  return std::any_of(all.begin(), all.end(), [&](const std::filesystem::path& own) {
    return own == place_of(target) || own == resolved(target) ||
           (identity && identity == FileIdentity::of(own));
  });
}

/// In a folder where others may not write, only somebody of the group can have made a file of that group.
bool is_of_group(const struct stat& file, const std::filesystem::path& path, const struct stat& database) {
  struct stat folder {};
  return (database.st_mode & S_IWGRP) != 0 && file.st_gid == database.st_gid &&
         ::stat(path.parent_path().c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) == 0;
}

bool is_guarded(const struct stat& file, const std::filesystem::path& path,
                const std::filesystem::path& database) {
  struct stat facts {};
  const bool known = !database.empty() && ::stat(database.c_str(), &facts) == 0;
  const mode_t writers = known ? facts.st_mode : 0;
  const bool own = file.st_uid == ::geteuid() || file.st_uid == 0 ||
                   (known && (file.st_uid == facts.st_uid || is_of_group(file, path, facts)));
  if (!own || (file.st_mode & S_IWOTH & ~writers) != 0) return false;
  if ((file.st_mode & S_IWGRP) == 0) return true;
  return (writers & S_IWGRP) != 0 && (file.st_gid == facts.st_gid || file.st_gid == ::getegid());
}

std::string read_beginning(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  std::string begin(17, '\0');
  const ssize_t got = file ? ::pread(file.get(), begin.data(), begin.size(), 0) : 0;
  begin.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return begin;
}

}  // namespace

std::string why_no_output(const std::filesystem::path& target, std::span<const DatabaseFiles> databases) {
  for (const DatabaseFiles& files : databases) {
    if (is_one_of(files, target)) return "that is a file of the database itself; give another path";
  }
  for (const auto& name : {place_of(target), resolved(target)}) {
    const auto owner = owner_of_name(name);
    if (!owner.empty())
      return "that is a file of the database " + printable(owner.native()) + "; give another path";
  }
  return {};
}

std::string kind_of_database_file(const std::filesystem::path& path) {
  // As the file formats say: sqlite.org/fileformat2.html, walformat.html; owner_file.cpp, spill_file.cpp.
  using Beginning = std::pair<std::string_view, const char*>;
  static constexpr std::array kBeginnings = {
      Beginning({"SQLite format 3\0", 16}, "an SQLite database"),
      Beginning("\x37\x7f\x06\x82", "a -wal file of SQLite"),
      Beginning("\x37\x7f\x06\x83", "a -wal file of SQLite"),
      Beginning({"\x18\xe2\x2d\x00", 4}, "a -shm file of SQLite"),
      Beginning("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "a journal of SQLite"),
      Beginning("tidings\n", "the owner file of a journal"),
      Beginning("{\"tidings_spill\":", "a spill file"),
  };
  const std::string begin = read_beginning(path);
  for (const auto& [beginning, kind] : kBeginnings) {
    if (begin.starts_with(beginning)) return kind;
  }
  return {};
}

void require_output(const char* what_failed, const std::filesystem::path& target,
                    const DatabaseFiles& files) {
  const std::string why = why_no_output(target, {&files, files.database.empty() ? 0U : 1U});
  if (!why.empty()) throw unusable(what_failed, target, why, ErrorCode::InvalidArgument);
}

void require_guarded(const char* what_failed, const std::filesystem::path& path, const struct stat& file,
                     const std::filesystem::path& database) {
  if (!S_ISREG(file.st_mode)) throw unusable(what_failed, path, "it is not a regular file; remove it");
  if (is_guarded(file, path, database)) return;
  throw unusable(
      what_failed, path,
      "it belongs to another user, or users may write it who may not write the database; look who "
      "made it, then remove it, or change its owner and mode, and do not keep it in a folder where "
      "others may write");
}

void require_guarded_companions(const char* what_failed, const std::filesystem::path& database) {
  for (const std::string_view suffix : kOfSqlite) {
    const std::filesystem::path path = database.native() + std::string(suffix);
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) == 0) require_guarded(what_failed, path, facts, database);
  }
}

}  // namespace tidings::deadletter
