#pragma once

#include "store/open_store.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/letter_sink.hpp>

#include <optional>
#include <string>

namespace tidings::deadletter {

/// Gives back the disk space of a -wal file that has grown large, when nobody reads an old state of the
/// database any more, and reports when somebody does: until then SQLite can neither empty the file nor begin
/// it again. Makes a connection only while the file is large. Thread-safe.
class WalUpkeep {
 public:
  explicit WalUpkeep(const StoreSettings& settings);

  /// See LetterSink::look_after_files. Never waits for a lock; writers wait for no more than what was
  /// written since this began. Throws Error, SQLite::Exception.
  [[nodiscard]] SinkFiles tend();

 private:
  void truncate(SinkFiles& files) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool copy_into_database(Connection& connection, SinkFiles& files) TIDINGS_REQUIRES(mutex_);

  const StoreSettings& settings_;
  const std::string network_;
  tidings::detail::Mutex mutex_;
  /// How much of the file was copied into the database when it was last looked at, while that was not all.
  std::optional<int> copied_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::deadletter
