#pragma once

#include "ledger/open_journal.hpp"
#include "ledger/owed_count.hpp"
#include "log/bus_log.hpp"
#include "subscriptions/topics.hpp"

#include <tidings/clock.hpp>

#include <cstddef>
#include <optional>

namespace tidings::detail {

/// Reports what the journal owes to handlers that nobody subscribes, some time after the start. On the
/// housekeeper's thread, once it runs.
class UnservedReport {
 public:
  UnservedReport(const Topics& topics, const OpenJournal& journal, const OwedCount& count, BusLog& log)
      : topics_(topics), journal_(journal), count_(count), log_(log) {}

  /// The journal owes something at the start.
  void begin(Instant now);
  void report_if_due(Instant now);
  [[nodiscard]] std::optional<Instant> due() const noexcept { return due_; }

 private:
  const Topics& topics_;
  const OpenJournal& journal_;
  const OwedCount& count_;
  BusLog& log_;
  std::optional<Instant> due_;
  std::size_t reported_ = 0;
};

}  // namespace tidings::detail
