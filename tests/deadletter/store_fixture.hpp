#pragma once

#include "deadletter/faults/faulty_vfs.hpp"
#include "deadletter/temporary_folder.hpp"
#include "store/open_store.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/redrive.hpp>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tidings::deadletter {

[[nodiscard]] EventId event_id(std::uint64_t number);
/// A letter with a number that no other has; it failed that many seconds into 2027.
[[nodiscard]] DeadLetter letter(std::uint64_t number);
[[nodiscard]] std::vector<DeadLetter> letters(std::uint64_t first, std::uint64_t last);
[[nodiscard]] Timestamp failed_at(std::uint64_t number);

/// The numbers of the letters whose redrive crashed.
[[nodiscard]] std::vector<std::int64_t> crashed_in(const RedriveUpkeep& upkeep);

/// Runs `body` in a forked child, which then ends without running this process's exit handlers; a body that
/// throws, returns false or fails an expectation ends with status 1.
[[nodiscard]] pid_t start_child(const std::function<bool()>& body);
/// waitpid's status.
[[nodiscard]] int status_of(pid_t child);
[[nodiscard]] int run_in_child(const std::function<bool()>& body);
[[nodiscard]] bool succeeded(int status);

/// A message of what the call threw, which must be a tidings::Error of this code.
[[nodiscard]] std::string error_of(ErrorCode code, const std::function<void()>& call);

/// A folder with the path of a database in it, and ways to look into what the store made of it.
class StoreTest : public testing::Test {
 protected:
  using Place = LetterOutcome::Place;

  [[nodiscard]] std::filesystem::path database() const { return folder_.path("orders.db"); }
  [[nodiscard]] std::filesystem::path spill() const { return folder_.path("orders.db.spill.jsonl"); }
  [[nodiscard]] std::shared_ptr<Store> open(const StoreOptions& options = {}) const {
    return Store::open(database(), options);
  }
  /// A store whose database can be made to fail.
  [[nodiscard]] std::shared_ptr<Store> open_faulty(StoreOptions options = {},
                                                   StoreInternals internals = {}) const;
  [[nodiscard]] static std::vector<LetterOutcome> store(Store& store, const std::vector<DeadLetter>& letters,
                                                        WhenBusy when_busy = WhenBusy::Throw) {
    return store.store(letters, when_busy);
  }
  [[nodiscard]] static std::vector<Place> places(const std::vector<LetterOutcome>& outcomes);

  /// Runs SQL as another program would.
  void execute(const std::string& sql) const;
  [[nodiscard]] std::string query(const std::string& sql) const;
  [[nodiscard]] std::vector<EventId> stored_events() const;
  [[nodiscard]] std::vector<EventId> spilled_events() const;

  TemporaryFolder folder_;
};

}  // namespace tidings::deadletter
