#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "ledger/owed_count.hpp"
#include "letters/file_watch.hpp"
#include "letters/spill_watch.hpp"
#include "publishing/durable_publisher.hpp"
#include "publishing/publisher.hpp"
#include "publishing/stamper.hpp"
#include "publishing/unhandled.hpp"
#include "recovery/backlog_reader.hpp"
#include "recovery/journal_duties.hpp"
#include "recovery/readmission.hpp"
#include "recovery/suspect_trial.hpp"
#include "recovery/transaction_watch.hpp"
#include "recovery/unserved_report.hpp"
#include "redelivery/key_refresh.hpp"
#include "redelivery/redelivery.hpp"
#include "running/retry_timer.hpp"
#include "running/runner.hpp"

namespace tidings::detail {

// The parts of one bus, in groups, each made with references to those before (to the housekeeper and the pool
// before they are made).

/// What is logged, and how letters get to the sink.
struct LetterParts {
  LetterParts(const BusSetup& setup, Housekeeper& housekeeper);

  BusLog log;
  LetterWriter writer;
  FileWatch files;
  SpillWatch spill;
};

/// What the journal owes, as memory knows it, and as the journal does.
struct LedgerParts {
  LedgerParts(const BusSetup& setup, Housekeeper& housekeeper);

  OpenJournal journal;
  RefillSignal refill;
  OwedCount owed;
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

/// How events come in.
struct PublishingParts {
  explicit PublishingParts(RunningParts& running);

  Stamper stamper;
  UnhandledEvents unhandled;
  DurablePublisher durable;
  Publisher publisher;
};

/// How what the journal owes comes back.
struct RecoveryParts {
  RecoveryParts(RunningParts& running, const OwedCount& owed);

  Readmission readmission;
  BacklogReader backlogs;
  SuspectTrial suspects;
  TransactionWatch transactions;
  UnservedReport unserved;
  JournalDuties duties;
};

}  // namespace tidings::detail
