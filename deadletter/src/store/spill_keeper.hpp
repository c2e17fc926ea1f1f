#pragma once

#include "spill/spill_file.hpp"
#include "store/open_store.hpp"
#include "store/store_session.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/letter_sink.hpp>

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// The spill files of a store: keeps the letters that the database does not take, and imports them into it
/// later. Thread-safe. Its mutex is never held while waiting for a session.
class SpillKeeper {
 public:
  /// Opens nothing yet.
  explicit SpillKeeper(const StoreSettings& settings);

  /// Opens the store's spill file, and finds all that the database was ever used with. Throws Error.
  void open(StoreSession& session);
  /// Takes those letters whose outcome is Unsaved.
  void spill(std::span<const DeadLetter* const> letters, std::vector<LetterOutcome>& outcomes);
  /// In steps between which others may write.
  void import_for(std::chrono::milliseconds time, StoreSession& session);
  /// What was imported since it was last called.
  [[nodiscard]] SpillImport take_report();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  void import_until(Deadline deadline, const std::filesystem::path& path, StoreSession& session);
  /// Imports some of `other`, or of the store's own file. True: there is more.
  [[nodiscard]] bool import_step(SpillFile* other, StoreSession& session);
  void settle(LetterOutcome& outcome, const std::string& spill_problem) const;

  // Constant after construction and open().
  const StoreSettings& settings_;
  const std::filesystem::path path_;
  std::vector<std::filesystem::path> paths_;  // all that were ever in use

  tidings::detail::Mutex mutex_;
  SpillFile file_ TIDINGS_GUARDED_BY(mutex_);
  SpillImport report_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::deadletter
