#pragma once

#include <tidings/clock.hpp>
#include <tidings/letter_sink.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

struct StoreInternals;

struct StoreOptions {
  /// How long a write waits for another process's before it counts as busy.
  std::chrono::milliseconds busy_timeout = std::chrono::seconds(5);
  /// Where letters go that the database cannot take; empty: `<database>.spill.jsonl`.
  std::filesystem::path spill_path = {};
  /// Set aside at open, so that a full disk can still take letters. Zero: nothing.
  std::uint64_t spill_reserve = 8ULL * 1024 * 1024;
  /// Mode of every file that holds payloads; at most 0660.
  unsigned file_mode = 0600;
  /// Create tidings' tables in a database that another application owns.
  bool adopt = false;
};

/// The dead letters of one or more services, in one SQLite file: the LetterSink that services use.
///
/// Thread-safe. Any number of processes may have the same file open. Letters are synced before `store` returns. The
/// schema is a public interface: docs/schema.md. Queries are Reader's.
class Store final : public LetterSink {
 public:
  /// Opens or creates the database (WAL, mode 0600) and migrates an older schema, after a backup copy. Throws Error:
  /// DatabaseUnusable (missing folder, a directory, not readable or writable, corrupt), ForeignDatabase, NewerSchema,
  /// DatabaseBusy, InvalidArgument; nothing is written to a file that is refused.
  [[nodiscard]] static std::shared_ptr<Store> open(const std::filesystem::path& path, StoreOptions options = {});

  ~Store() override;

  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override;
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) override;

  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  [[nodiscard]] const std::filesystem::path& spill_path() const noexcept;

 private:
  class Implementation;
  friend std::shared_ptr<Store> open_store(const std::filesystem::path& path, const StoreOptions& options,
                                           StoreInternals internals);
  explicit Store(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tidings::deadletter
