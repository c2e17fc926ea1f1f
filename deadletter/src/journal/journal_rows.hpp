#pragma once

#include "journal/crash_streak.hpp"
#include "journal/journal_appender.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/prepared.hpp"

#include <tidings/journal.hpp>

#include <atomic>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Appends events, and writes the other rows of the journal's tables, inside the caller's transaction. Keeps
/// its statements prepared. Must be destroyed before the database. Members throw SQLite::Exception.
class JournalRows : public JournalAppender {
 public:
  /// `may_have_deliveries` says whether there may be rows of deliveries: nearly always there are none, and
  /// then no query for them is made. A caller that does not commit its writes sets it.
  JournalRows(SQLite::Database& database, std::atomic<bool>& may_have_deliveries);

  /// Replaces what is known of a delivery of an event that is in the journal. One that is done stays done.
  void change(const JournalDelivery& delivery);
  void finish(std::span<const std::int64_t> journal_ids);

  /// True: there are more.
  bool forget_keys(const KeyPeriod& remembered);
  void report_unserved(std::span<const OwedTotal> handlers);
  void remember_sole_crashes(std::span<const CrashSuspect> suspects) {
    deadletter::remember_sole_crashes(database_, suspects);
  }

 private:
  void finish_if_done(std::int64_t journal_id);
  static void remove(Prepared& statement, std::int64_t first, std::int64_t last);

  SQLite::Database& database_;
  std::atomic<bool>& may_have_deliveries_;
  Prepared change_;
  Prepared finish_if_done_;
  Prepared finish_events_;
  Prepared finish_deliveries_;
};

}  // namespace tidings::deadletter
