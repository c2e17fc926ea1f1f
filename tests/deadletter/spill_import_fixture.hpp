#pragma once

#include "deadletter/store_fixture.hpp"

#include "spill/spill_file.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// A StoreTest with spill files that hold letters.
class SpillImportTest : public StoreTest {
 protected:
  [[nodiscard]] std::filesystem::path rejects() const {
    return folder_.path("orders.db.spill.jsonl.rejected.jsonl");
  }

  /// Spills letters while the disk is full.
  static void spill_letters(Store& store, std::uint64_t first, std::uint64_t last) {
    const faults::ScopedFault full(
        {.operations = {faults::Operation::Write}, .sqlite_code = SQLITE_FULL, .lasting = true});
    const auto outcomes = store.store(letters(first, last), WhenBusy::Throw);
    ASSERT_EQ(places(outcomes), std::vector(outcomes.size(), Place::Spilled)) << outcomes.at(0).problem;
  }
  /// A spill file that a dead process left, with its header.
  void leave_spill(std::uint64_t first, std::uint64_t last, const std::string& rest = "") const {
    std::string content = SpillHeader::make().line();
    for (const DeadLetter& each : letters(first, last)) content += to_json_line(each) + "\n";
    write_file(spill(), content + rest);
  }
  [[nodiscard]] std::uint64_t waiting() const { return Reader::open(database()).spill_bytes(); }
  [[nodiscard]] std::set<EventId> distinct_events() const {
    const auto events = stored_events();
    EXPECT_EQ(std::set<EventId>(events.begin(), events.end()).size(), events.size());
    return {events.begin(), events.end()};
  }
  static std::set<EventId> events(std::uint64_t first, std::uint64_t last) {
    std::set<EventId> result;
    for (; first <= last; ++first) result.insert(event_id(first));
    return result;
  }
};

}  // namespace tidings::deadletter
