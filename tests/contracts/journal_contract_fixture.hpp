#pragma once

#include <tidings/journal.hpp>
#include <tidings/letter_sink.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contracts/sample_event.hpp"

namespace tidings::contract {

/// A fresh, empty journal, the sink that it is kept with, and the way to read back that sink's letters.
struct JournalUnderTest {
  std::shared_ptr<LetterSink> sink;
  std::function<std::vector<DeadLetter>()> letters;

  [[nodiscard]] Journal& journal() const { return *sink->journal(); }
};

/// Makes journals that have nothing to do with each other.
using JournalMaker = std::function<JournalUnderTest()>;

class JournalContract : public testing::TestWithParam<JournalMaker> {
 protected:
  static constexpr std::int64_t kEnd = 1'000'000;

  Journal& journal() { return subject_.journal(); }
  JournalStart acquire() { return journal().acquire("orders", std::chrono::milliseconds(0)); }

  JournalCommit append(const std::vector<SampleEvent>& events, bool synced = false) {
    JournalBatch batch;
    for (const SampleEvent& event : events) batch.appended.push_back(event.append());
    batch.synced = synced;
    return journal().commit(batch);
  }
  JournalCommit append(std::int64_t first, std::int64_t last) {
    std::vector<SampleEvent> events;
    for (std::int64_t number = first; number <= last; ++number) events.emplace_back(number);
    return append(events);
  }
  void change(const JournalDelivery& delivery) {
    JournalBatch batch;
    batch.changed.push_back(delivery);
    static_cast<void>(journal().commit(batch));
  }
  void finish(const std::vector<std::int64_t>& ids) {
    JournalBatch batch;
    batch.finished = ids;
    static_cast<void>(journal().commit(batch));
  }
  std::vector<OwedDelivery> owed(const std::string& handler, const std::string& event_type = "",
                                 std::int64_t after = 0, std::int64_t up_to = kEnd, std::size_t limit = 100) {
    return journal().owed({event_type, handler, after, up_to, limit});
  }
  std::vector<std::int64_t> owed_ids(const std::string& handler, const std::string& event_type = "") {
    std::vector<std::int64_t> ids;
    for (const OwedDelivery& each : owed(handler, event_type)) ids.push_back(each.journal_id);
    return ids;
  }
  static JournalDelivery done(std::int64_t id, const std::string& handler) {
    return done_delivery(id, handler);
  }

  using Ids = std::vector<std::int64_t>;

  JournalUnderTest subject_ = GetParam()();
};

}  // namespace tidings::contract
