#pragma once

#include "contracts/sample_event.hpp"
#include "deadletter/store_fixture.hpp"

#include <tidings/journal.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace tidings::deadletter {

using contract::SampleEvent;

/// A StoreTest with ways to use a store's journal.
class JournalTest : public StoreTest {
 protected:
  using Ids = std::vector<std::int64_t>;
  static constexpr std::int64_t kEnd = 10'000'000;

  [[nodiscard]] std::filesystem::path owner() const { return folder_.path("orders.db.owner"); }
  static JournalStart acquire(Store& store,
                              std::chrono::milliseconds owner_wait = std::chrono::milliseconds(0)) {
    return store.journal()->acquire("orders", owner_wait);
  }
  static JournalCommit append(Store& store, const std::vector<SampleEvent>& events, bool synced = false) {
    JournalBatch batch;
    for (const SampleEvent& event : events) batch.appended.push_back(event.append());
    batch.synced = synced;
    return store.journal()->commit(batch);
  }
  static JournalCommit append(Store& store, std::int64_t first, std::int64_t last, bool synced = false) {
    std::vector<SampleEvent> events;
    for (std::int64_t number = first; number <= last; ++number) events.emplace_back(number);
    return append(store, events, synced);
  }
  static void finish(Store& store, const Ids& ids) {
    JournalBatch batch;
    batch.finished = ids;
    static_cast<void>(store.journal()->commit(batch));
  }
  static std::vector<OwedDelivery> owed(Store& store, const std::string& handler,
                                        std::size_t limit = 10'000) {
    return store.journal()->owed({"", handler, 0, kEnd, limit});
  }
  static Ids owed_ids(Store& store, const std::string& handler) {
    Ids ids;
    for (const OwedDelivery& each : owed(store, handler)) ids.push_back(each.journal_id);
    return ids;
  }
};

}  // namespace tidings::deadletter
