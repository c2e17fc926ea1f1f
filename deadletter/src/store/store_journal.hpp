#pragma once

#include "file/owner_file.hpp"
#include "journal/journal_reader.hpp"
#include "journal/owner_number.hpp"
#include "sqlite/reconnecting.hpp"
#include "store/open_store.hpp"
#include "store/session.hpp"
#include "store/spill_keeper.hpp"
#include "store/store_session.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tidings::deadletter {

class StoreTransactions;

/// The journal in a store's database. Writes go through the store's session, in turn with letters; reads have
/// a connection of their own.
class StoreJournal final : public Journal {
 public:
  StoreJournal(const StoreSettings& settings, StoreSession& session, SpillKeeper& spills,
               StoreTransactions& transactions);

  [[nodiscard]] JournalStart acquire(std::string_view service, std::chrono::milliseconds owner_wait) override;
  void release(bool clean) noexcept override;
  JournalCommit commit(const JournalBatch& batch) override;
  [[nodiscard]] std::unique_ptr<DeliveryTransaction> begin_transaction() override;
  [[nodiscard]] bool transactions_ended(std::span<const std::int64_t> /*ids*/) noexcept override {
    return session_.write_lock_is_free();
  }
  [[nodiscard]] std::vector<OwedDelivery> owed(const OwedQuery& query) override;
  [[nodiscard]] std::vector<OwedTotal> owed_totals(std::size_t at_most) override;
  void report_unserved(std::span<const OwedTotal> handlers) override;
  [[nodiscard]] bool forget_keys(const KeyPeriod& remembered) override;
  [[nodiscard]] std::span<CrashSlot> crash_slots() noexcept override { return owner_.slots(); }

  [[nodiscard]] const std::filesystem::path& database() const noexcept { return settings_.path; }
  [[nodiscard]] OpenedFile& file() const noexcept { return *settings_.internals.file; }
  [[nodiscard]] OwnerNumber& owner_number() const noexcept { return *settings_.internals.owner; }
  /// The owner's. Throws Error: NoJournal without one, JournalOwned when it has lost the journal.
  [[nodiscard]] const std::string& service() const;

 private:
  void remember(std::span<const CrashSuspect> suspects) noexcept;
  void require_owned() const;
  template <class Work>
  void write_as_owner(Work work);
  template <class Question>
  std::invoke_result_t<Question, JournalReader&> read(Question question);

  // Constant after construction.
  const StoreSettings& settings_;
  StoreSession& session_;
  SpillKeeper& spills_;
  StoreTransactions& transactions_;

  OwnerFile owner_;      // its lock and header: acquire and release, which are one thread's
  std::string service_;  // set by acquire; empty: not owned

  tidings::detail::Mutex reading_;
  Reconnecting<JournalReader> reader_ TIDINGS_GUARDED_BY(reading_);
};

}  // namespace tidings::deadletter
