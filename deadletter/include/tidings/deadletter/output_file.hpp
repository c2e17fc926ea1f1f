#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// A database whose files must not be overwritten: the database itself, the files that SQLite and tidings
/// keep beside it (`-wal`, `-shm`, `-journal`, `.owner`, `.spill.jsonl` and the files through which those are
/// repaired and copied), and its spill files elsewhere.
struct DatabaseFiles {
  std::filesystem::path database;
  /// Reader::spill_paths.
  std::vector<std::filesystem::path> spills = {};
};

/// Why `target` must not be written, and what to do instead: it is a file of one of the databases, by its
/// name (whether or not it exists) or by another name of the same file; or it has the name that a file beside
/// it gives to one of its own. Empty if it may be written. Opens no file.
[[nodiscard]] std::string why_no_output(const std::filesystem::path& target,
                                        std::span<const DatabaseFiles> databases);

/// A file that a program writes for others. It is created under a temporary name (`<target>.tmp.` and six
/// random characters, mode 0600), where nobody can have put or opened a file before, and gets its own name
/// once it is complete. Every file that a tool writes is written through this class. Not thread-safe.
class OutputFile {
 public:
  enum class Existing { Refuse, Replace };

  /// Throws Error(InvalidArgument): why_no_output, or something is at `target` that is not to be replaced, or
  /// is not a regular file, or begins as a file of a database does. Throws std::system_error.
  OutputFile(std::filesystem::path target, Existing existing, std::span<const DatabaseFiles> databases);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  /// Removes what was not finished.
  ~OutputFile();

  /// Throws std::system_error.
  void write(std::string_view bytes);
  /// Sets the mode, syncs the file, gives it its name and makes that durable. Throws std::system_error; with
  /// Existing::Refuse also when there is a file of that name by now.
  void finish(unsigned mode);

 private:
  void require_replaceable(Existing existing) const;

  const std::filesystem::path target_;
  const Existing existing_;
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace tidings::deadletter
