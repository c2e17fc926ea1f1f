#pragma once

#include "ledger/open_journal.hpp"

#include <tidings/clock.hpp>

#include <atomic>
#include <optional>

namespace tidings::detail {

/// Finds out when transactions of the application, in which events were published, have ended.
class TransactionWatch {
 public:
  explicit TransactionWatch(const OpenJournal& journal) : journal_(journal) {}

  /// Bus::notify() was called, so that one may have ended: the next looks follow soon. Thread-safe. The
  /// transaction may not have been committed for SQLite's other connections at this very moment, so one look
  /// may not be enough.
  void look_soon() noexcept;
  /// Looks, and returns when to look again; nullopt if nothing is waited for. On the housekeeper's thread.
  [[nodiscard]] std::optional<Instant> look(Instant now);
  /// When to look, if what is waited for came after look().
  [[nodiscard]] std::optional<Instant> due(Instant now) const;

 private:
  const OpenJournal& journal_;
  std::atomic<int> looks_wanted_{0};
};

}  // namespace tidings::detail
