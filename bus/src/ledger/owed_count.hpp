#pragma once

#include "ledger/open_journal.hpp"
#include "subscriptions/bus_setup.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/clock.hpp>
#include <tidings/journal.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tidings::detail {

/// What the journal owes, in numbers. They are read from the journal itself, not from what memory knows of
/// it, so that wait_idle, snapshot and the report of a stop include what nobody works on. Thread-safe.
class OwedCount {
 public:
  using Subscribers = std::vector<std::shared_ptr<Subscriber>>;
  /// At one moment; of more than 10,000 events only the first 10,000 are counted.
  struct Numbers {
    std::vector<OwedTotal> totals;
    std::string problem;  // why the journal cannot be read; empty if it can
  };

  OwedCount(const BusSetup& setup, const OpenJournal& journal) : setup_(setup), journal_(journal) {}

  [[nodiscard]] Numbers read() const;
  struct Share {
    std::uint64_t deliveries = 0;
    std::optional<Timestamp> oldest = {};  // when the oldest was published; not set: there is none
  };
  [[nodiscard]] Share share_of(const Subscriber& subscriber, const Numbers& numbers) const;
  [[nodiscard]] std::uint64_t owed_to(const Subscriber& subscriber, const Numbers& numbers) const {
    return share_of(subscriber, numbers).deliveries;
  }
  [[nodiscard]] std::uint64_t owed_to_nobody(const Subscribers& subscribers, const Numbers& numbers) const;
  /// What is left of totals when what these subscribers are owed is taken out.
  [[nodiscard]] std::vector<OwedTotal> unserved(std::vector<OwedTotal> totals,
                                                const Subscribers& subscribers) const;
  /// Whether the journal owes anything to any of them, however much it holds. True, too, when the journal
  /// cannot be asked.
  [[nodiscard]] bool owes_any(const Subscribers& subscribers) const;

 private:
  const BusSetup& setup_;
  const OpenJournal& journal_;
};

}  // namespace tidings::detail
