#pragma once

#include "journal/journal_rows.hpp"
#include "letters/letter_insert.hpp"
#include "redrive/redrive_connection.hpp"
#include "redrive/redrive_requests.hpp"
#include "redrive/redrive_settlement.hpp"
#include "sqlite/write_turn.hpp"
#include "store/open_store.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>
#include <tidings/redrive.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// The connection of handlers' transactions. What is written through it is committed by `end` alone: any
/// other COMMIT is refused, by SQLite's commit hook, and so is what would commit by itself outside of a
/// transaction. Not thread-safe. Members throw SQLite::Exception.
class HandlerConnection {
 public:
  explicit HandlerConnection(const StoreSettings& settings);
  HandlerConnection(const HandlerConnection&) = delete;
  HandlerConnection& operator=(const HandlerConnection&) = delete;
  ~HandlerConnection();

  [[nodiscard]] sqlite3* handle() noexcept { return connection_->database().getHandle(); }
  [[nodiscard]] Connection& connection() noexcept { return *connection_; }

  /// The caller has the turn, and waits for other processes until `deadline`.
  void begin(WriteTurn::Deadline deadline);
  /// Whether it is still the transaction that was begun.
  [[nodiscard]] bool is_whole() const noexcept;
  /// Ends what statements of the handler are still at.
  void reset_statements() noexcept;
  void commit();
  void roll_back() noexcept { connection_->rollback(); }

  [[nodiscard]] JournalRows& journal() noexcept { return *journal_; }
  [[nodiscard]] LetterInsert& letters() noexcept { return *letters_; }
  /// Made at first use.
  [[nodiscard]] RedriveSettlement& settlement();

 private:
  static int on_commit(void* self) noexcept;
  static void on_rollback(void* self) noexcept;

  std::unique_ptr<RedriveConnection> connection_;
  std::optional<JournalRows> journal_;
  std::optional<LetterInsert> letters_;
  std::optional<RedriveRequests> requests_;
  std::optional<RedriveSettlement> settlement_;
  bool may_commit_ = false;
  bool ended_ = false;  // by somebody else
};

/// Lends out the one connection of handlers' transactions: they take turns anyway. Thread-safe.
class StoreTransactions {
 public:
  explicit StoreTransactions(const StoreSettings& settings) noexcept : settings_(settings) {}

  /// Waits for its turn. Throws Error.
  [[nodiscard]] std::unique_ptr<DeliveryTransaction> begin();
  /// A connection that can be used again.
  void give_back(Opened<HandlerConnection> connection);
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return settings_.path; }
  [[nodiscard]] OpenedFile& file() const noexcept { return *settings_.internals.file; }
  [[nodiscard]] OwnerNumber& journal_owner() const noexcept { return *settings_.internals.owner; }

 private:
  const StoreSettings& settings_;

  tidings::detail::Mutex mutex_;
  Opened<HandlerConnection> idle_ TIDINGS_GUARDED_BY(mutex_);
};

/// One transaction of one handler. Its thread has the turn until it is destroyed.
class StoreTransaction final : public DeliveryTransaction {
 public:
  StoreTransaction(StoreTransactions& owner, std::unique_ptr<WriteTurn::Hold> turn,
                   Opened<HandlerConnection> connection);
  ~StoreTransaction() override;

  void lock(Journal& journal, Durability durability) override;
  [[nodiscard]] std::vector<std::optional<EventId>> append(std::span<const JournalAppend> events) override;
  void store(const DeadLetter& letter) override;
  void commit(const JournalBatch& end) override;

  /// As Redrives::settle_in.
  [[nodiscard]] std::optional<std::vector<RedriveEnd>> settle(const std::string& claimed_by,
                                                              const RedriveResult& result);
  /// For the handler, as long as it runs.
  [[nodiscard]] const std::shared_ptr<sqlite3>& handle() const noexcept { return handle_; }

 private:
  void require_whole() const;
  template <class Work>
  auto in_database(Work work);

  StoreTransactions& owner_;
  const std::unique_ptr<WriteTurn::Hold> turn_;
  Opened<HandlerConnection> connection_;
  std::shared_ptr<sqlite3> handle_;
  std::string service_;  // of the journal's owner, once locked
  bool reusable_ = true;
};

}  // namespace tidings::deadletter
