#pragma once

#include "file/opening_process.hpp"
#include "file/sqlite_error.hpp"
#include "sqlite/opened_file.hpp"

#include <SQLiteCpp/Exception.h>

#include <filesystem>
#include <functional>
#include <type_traits>
#include <utility>

namespace tidings::deadletter {

/// A connection of a store, with what is prepared on it: made when it is first used, and made again after a
/// failure of the database. It is used only while the store's file is in its place. Not thread-safe.
///
/// A failed connection is given up only when there is another: as long as one lives, a transaction whose
/// commit failed stays uncommitted, while after the last one's end whoever opens the database next finds it
/// in the -wal file, whole, and takes it for committed.
template <class Connected>
class Reconnecting {
 public:
  struct Options {
    OpenedFile& file;
    std::filesystem::path path;
    /// What messages of errors begin with.
    const char* what_failed;
    /// Makes one, admitted to the file. Throws Error, SQLite::Exception.
    std::function<Opened<Connected>()> connect;
    /// Called with the connection, if there is one, when the file is found to be lost. May be empty.
    std::function<void(Connected&)> save = {};
  };

  explicit Reconnecting(Options options) : options_(std::move(options)) {}

  /// What `work` gives with a sound connection. Throws Error, also for SQLite's exceptions, and when the file
  /// is lost afterwards: what was committed to a file that had been deleted meanwhile is not stored.
  template <class Work>
  std::invoke_result_t<Work, Connected&> use(Work work) {
    try {
      auto result = work(sound());
      require_in_place(OpenedFile::Look::Committed);
      return result;
    } catch (const SQLite::Exception& error) {
      suspect_ = makes_suspect(error);
      throw unusable(options_.what_failed, options_.path, error);
    }
  }

  /// Throws Error when the file is lost.
  void require_in_place(OpenedFile::Look look) {
    if (options_.file.is_in_place(look)) return;
    save();
    options_.file.require_in_place(options_.what_failed, look);
  }

  void save() {
    if (connected_ && options_.save) options_.save(*connected_);
  }

 private:
  /// A connection that is as sound as can be had.
  Connected& sound() {
    require_in_place(OpenedFile::Look::Database);
    if (!connected_ || suspect_) connected_ = options_.connect();
    suspect_ = false;
    return *connected_;
  }

  const Options options_;
  Opened<Connected> connected_;
  bool suspect_ = false;  // the last use failed for more than a lock
};

}  // namespace tidings::deadletter
