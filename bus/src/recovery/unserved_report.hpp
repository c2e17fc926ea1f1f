#pragma once

#include "ending/bus_parts.hpp"
#include "ledger/owed_count.hpp"

#include <tidings/clock.hpp>

#include <cstddef>
#include <optional>

namespace tidings::detail {

/// Reports what the journal owes to handlers that nobody subscribes, some time after the start. On the
/// housekeeper's thread, once it runs.
class UnservedReport {
 public:
  UnservedReport(const BusParts& bus, const OwedCount& count) : bus_(bus), count_(count) {}

  /// The journal owes something at the start.
  void begin(Instant now);
  void report_if_due(Instant now);
  [[nodiscard]] std::optional<Instant> due() const noexcept { return due_; }

 private:
  const BusParts bus_;
  const OwedCount& count_;
  std::optional<Instant> due_;
  std::size_t reported_ = 0;
};

}  // namespace tidings::detail
