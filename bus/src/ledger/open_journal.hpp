#pragma once

#include "ledger/group_commit.hpp"
#include "ledger/idempotency_window.hpp"
#include "ledger/owed_ledger.hpp"

#include <tidings/journal.hpp>

#include <memory>
#include <span>

namespace tidings::detail {

/// The journal as its bus has it open. Empty on a bus without durability. Constant once the bus has started.
struct OpenJournal {
  [[nodiscard]] explicit operator bool() const noexcept { return ledger != nullptr; }
  /// Whether another bus has taken it: what is left is that bus's to deliver.
  [[nodiscard]] bool is_lost() const noexcept { return commits && commits->lost(); }

  Journal* port = nullptr;
  /// What is owed, and what became of it.
  std::unique_ptr<OwedLedger> ledger;
  /// Commits what the ledger has for the journal. Destroyed before it.
  std::unique_ptr<GroupCommit> commits;
  std::unique_ptr<IdempotencyWindow> idempotency;
  std::span<CrashSlot> crash_slots;
};

}  // namespace tidings::detail
