#pragma once

#include "ledger/group_commit.hpp"
#include "ledger/key_window.hpp"

#include <tidings/journal.hpp>

#include <memory>
#include <span>

namespace tidings::detail {

/// The journal as its bus has it open. Empty on a bus without durability. Constant once the bus has started.
struct OpenJournal {
  [[nodiscard]] explicit operator bool() const noexcept { return ledger != nullptr; }
  [[nodiscard]] Ledger* operator->() const noexcept { return ledger.get(); }
  /// Whether another bus has taken it: what is left is that bus's to deliver.
  [[nodiscard]] bool is_lost() const noexcept { return ledger && ledger->commits.lost(); }

  Journal* port = nullptr;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<KeyWindow> keys;
  std::span<CrashSlot> crash_slots;
};

}  // namespace tidings::detail
