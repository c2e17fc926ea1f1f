#pragma once

#include "counting/counter_book.hpp"
#include "counting/storage_counts.hpp"
#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "ledger/owed_count.hpp"
#include "letters/file_watch.hpp"
#include "letters/minute_watch.hpp"
#include "letters/spill_watch.hpp"
#include "redelivery/key_refresh.hpp"
#include "redelivery/redelivery.hpp"
#include "running/retry_timer.hpp"
#include "running/runner.hpp"

namespace tidings::detail {

// The parts of one bus, in groups, each made with references to those before (to the housekeeper and the pool
// before they are made).

/// Who subscribes, and what is counted of it.
struct TopicParts {
  explicit TopicParts(const BusSetup& setup);

  CounterBook counts;
  Topics topics;
};

/// Payloads on their way to storage and back.
struct PayloadParts {
  explicit PayloadParts(const BusSetup& setup);

  PayloadKeeper keeper;
  Upcasters upcasters;
};

/// What is logged, and how letters get to the sink.
struct LetterParts {
  LetterParts(const BusSetup& setup, CounterBook& counts, Housekeeper& housekeeper);

  BusLog log;
  Observing observing;
  StorageCounts storage;
  LetterWriter writer;
  FileWatch files;
  SpillWatch spill;
  MinuteWatch minutes;
};

/// What the journal owes, as memory knows it, and as the journal does.
struct LedgerParts {
  LedgerParts(const BusSetup& setup, Housekeeper& housekeeper);

  OpenJournal journal;
  RefillSignal refill;
  OwedCount count;
};

/// How deliveries run and end.
struct RunningParts {
  explicit RunningParts(const BusParts& parts);

  const BusParts bus;
  DeliveryEnd end;
  RetryTimer retries;
  Runner runner;
  Redelivery redelivery;
  KeyRefresh keys;
};

}  // namespace tidings::detail
