#pragma once

#include "ledger/open_journal.hpp"
#include "ledger/owed_count.hpp"
#include "ledger/refill_signal.hpp"
#include "log/bus_log.hpp"
#include "recovery/backlog_reader.hpp"
#include "recovery/suspect_trial.hpp"
#include "recovery/transaction_watch.hpp"
#include "recovery/unserved_report.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/publish_gate.hpp"
#include "subscriptions/topics.hpp"

#include <tidings/clock.hpp>
#include <tidings/journal.hpp>

#include <atomic>
#include <chrono>
#include <optional>

namespace tidings::detail {

/// What the housekeeper does for the journal, in order: commits what is due, looks for the end of
/// transactions, runs suspects, reads backlogs, reports what nobody serves, and forgets idempotency keys that
/// are over. On the housekeeper's thread, once it runs, but for wait_for_reader().
class JournalDuties {
 public:
  JournalDuties(const BusSetup& setup, const PublishGate& gate, const Topics& topics,
                const OpenJournal& journal, RefillSignal& refill, BusLog& log, BacklogReader& backlogs,
                SuspectTrial& suspects, TransactionWatch& transactions, UnservedReport& unserved)
      : setup_(setup),
        gate_(gate),
        topics_(topics),
        journal_(journal),
        refill_(refill),
        log_(log),
        backlogs_(backlogs),
        suspects_(suspects),
        transactions_(transactions),
        unserved_(unserved) {}

  /// What the journal has at the start. Throws Error.
  void begin(const JournalStart& start);
  /// Does what is due, and returns when it wants to be called next.
  [[nodiscard]] std::optional<Instant> serve(Instant now);
  /// Waits until nothing is being read back, which a closed gate does not let begin any more, or until the
  /// deadline.
  void wait_for_reader(std::chrono::steady_clock::time_point deadline) const;

 private:
  [[nodiscard]] Instant serve_open(Instant now);
  void leave_to_owner();
  void read_back(Instant now);
  void forget_keys(Instant now);

  const BusSetup& setup_;
  const PublishGate& gate_;
  const Topics& topics_;
  const OpenJournal& journal_;
  RefillSignal& refill_;
  BusLog& log_;
  BacklogReader& backlogs_;
  SuspectTrial& suspects_;
  TransactionWatch& transactions_;
  UnservedReport& unserved_;
  Instant keys_due_{};
  std::atomic<bool> reading_back_{false};
};

}  // namespace tidings::detail
