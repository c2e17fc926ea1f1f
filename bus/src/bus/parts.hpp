#pragma once

#include "ending/delivery_end.hpp"
#include "ending/handler_transaction.hpp"
#include "event/upcasters.hpp"
#include "ledger/open_journal.hpp"
#include "ledger/owed_count.hpp"
#include "ledger/refill_signal.hpp"
#include "letters/file_watch.hpp"
#include "letters/letter_writer.hpp"
#include "letters/spill_watch.hpp"
#include "log/bus_log.hpp"
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
#include "redriving/redriver.hpp"
#include "running/retry_timer.hpp"
#include "running/runner.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/publish_gate.hpp"
#include "subscriptions/retirement.hpp"
#include "subscriptions/subscriber.hpp"
#include "subscriptions/topics.hpp"
#include "threads/housekeeper.hpp"
#include "threads/worker_pool.hpp"

#include <tidings/bus.hpp>

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
  RunningParts(const BusSetup& setup, const PublishGate& gate, const Topics& topics,
               const Upcasters& upcasters, Retirement& retirement, LetterParts& letters, LedgerParts& ledger,
               Redriver& redriver, Housekeeper& housekeeper, WorkerPool& pool);

  const TransactionPorts transactions;
  DeliveryEnd end;
  RetryTimer retries;
  Runner runner;
  Redelivery redelivery;
  KeyRefresh keys;
};

/// How events come in.
struct PublishingParts {
  PublishingParts(const BusSetup& setup, const PublishGate& gate, Topics& topics, Retirement& retirement,
                  LetterParts& letters, LedgerParts& ledger, RunningParts& running);

  Stamper stamper;
  UnhandledEvents unhandled;
  DurablePublisher durable;
  Publisher publisher;
};

/// How what the journal owes comes back.
struct RecoveryParts {
  RecoveryParts(const BusSetup& setup, PublishGate& gate, const Topics& topics, const Upcasters& upcasters,
                Retirement& retirement, LetterParts& letters, LedgerParts& ledger, RunningParts& running,
                Housekeeper& housekeeper);

  Readmission readmission;
  BacklogReader backlogs;
  SuspectTrial suspects;
  TransactionWatch transactions;
  UnservedReport unserved;
  JournalDuties duties;
};

}  // namespace tidings::detail
