#pragma once

#include "ending/bus_parts.hpp"
#include "recovery/backlog_reader.hpp"
#include "recovery/suspect_trial.hpp"
#include "recovery/transaction_watch.hpp"
#include "recovery/unserved_report.hpp"

#include <tidings/clock.hpp>
#include <tidings/journal.hpp>

#include <atomic>
#include <chrono>
#include <optional>

namespace tidings::detail {

/// What the housekeeper does for the journal, in order: commits what is due, looks for the end of
/// transactions, runs suspects, reads backlogs, reports what nobody serves, and forgets idempotency keys that
/// are over. It has what it needs for them. On the housekeeper's thread, once it runs, but for what says
/// otherwise, and wait_for_reader().
class JournalDuties {
 public:
  JournalDuties(const BusParts& bus, const OwedCount& owed, DeliveryEnd& end, Runner& runner,
                RetryTimer& retries)
      : bus_(bus),
        readmission_(bus, end, runner, retries),
        backlogs_(bus, readmission_),
        suspects_(bus, readmission_),
        transactions_(bus.journal),
        unserved_(bus, owed) {}

  /// What the journal has at the start. Throws Error.
  void begin(const JournalStart& start);
  /// What the journal has for single subscribers. Thread-safe.
  [[nodiscard]] BacklogReader& backlogs() noexcept { return backlogs_; }
  /// An application's transaction has ended: see TransactionWatch::look_soon. Thread-safe.
  void look_for_transactions() noexcept { transactions_.look_soon(); }
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

  const BusParts bus_;
  Readmission readmission_;
  BacklogReader backlogs_;
  SuspectTrial suspects_;
  TransactionWatch transactions_;
  UnservedReport unserved_;
  Instant keys_due_{};
  std::atomic<bool> reading_back_{false};
};

}  // namespace tidings::detail
