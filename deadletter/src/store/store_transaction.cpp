#include "store/store_transaction.hpp"

#include "file/sqlite_error.hpp"
#include "store/opening.hpp"
#include "store/store_journal.hpp"

#include <tidings/detail/kill_point.hpp>

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <chrono>
#include <utility>
#include <vector>

namespace tidings::deadletter {
using tidings::detail::MutexLock;

namespace {

constexpr const char* kCannotTransact = "cannot write in a handler's transaction of";

Error handler_in_doubt(const std::filesystem::path& database, const SQLite::Exception& cause) {
  const int code = cause.getExtendedErrorCode();
  return unusable("in doubt: an error during the commit of a handler's transaction in", database,
                  "this process goes on as if it had not happened, but it may be found after a restart, what "
                  "the handler wrote and its completion together: " +
                      explain(code, cause.what()),
                  ErrorCode::InDoubt, code);
}

/// SQLite does not close a connection whose statements somebody keeps: it goes on being there, for them.
void keep_for_ever(std::unique_ptr<RedriveConnection> connection) {
  static tidings::detail::Mutex mutex;
  static auto& kept TIDINGS_GUARDED_BY(mutex) =
      *new std::vector<std::unique_ptr<RedriveConnection>>;  // never destroyed
  const MutexLock lock(mutex);
  kept.push_back(std::move(connection));
}

}  // namespace

HandlerConnection::HandlerConnection(const std::filesystem::path& path, const StoreOptions& options,
                                     const StoreInternals& internals)
    : connection_(
          std::make_unique<RedriveConnection>(path,
                                              WritingConnection::Options{internals.vfs, options.busy_timeout,
                                                                         internals.row_limit, internals.turn},
                                              ClaimJudge(path, internals.boot_id, internals.boot_time))) {
  journal_.emplace(connection_->database(), connection_->turn().may_have_deliveries);
  letters_.emplace(connection_->database());
  sqlite3_commit_hook(handle(), &HandlerConnection::on_commit, this);
  sqlite3_rollback_hook(handle(), &HandlerConnection::on_rollback, this);
}

HandlerConnection::~HandlerConnection() {
  settlement_.reset();
  requests_.reset();
  letters_.reset();
  journal_.reset();
  sqlite3_commit_hook(
      handle(), [](void*) { return 1; }, nullptr);
  sqlite3_rollback_hook(handle(), nullptr, nullptr);
  if (connection_->has_foreign_statements()) keep_for_ever(std::move(connection_));
}

int HandlerConnection::on_commit(void* self) noexcept {
  return static_cast<HandlerConnection*>(self)->may_commit_ ? 0 : 1;
}

void HandlerConnection::on_rollback(void* self) noexcept {
  static_cast<HandlerConnection*>(self)->ended_ = true;
}

void HandlerConnection::begin(WriteTurn::Deadline deadline) {
  connection_->wait_until(deadline);
  connection_->begin(Sync::Always);
  ended_ = false;
}

bool HandlerConnection::is_whole() const noexcept { return !ended_ && connection_->in_transaction(); }

void HandlerConnection::reset_statements() noexcept {
  for (auto* each = sqlite3_next_stmt(handle(), nullptr); each != nullptr;
       each = sqlite3_next_stmt(handle(), each)) {
    if (sqlite3_stmt_busy(each) != 0) sqlite3_reset(each);
  }
}

void HandlerConnection::commit() {
  may_commit_ = true;
  try {
    connection_->end();
  } catch (...) {
    may_commit_ = false;
    throw;
  }
  may_commit_ = false;
}

RedriveSettlement& HandlerConnection::settlement() {
  if (!settlement_) {
    requests_.emplace(*connection_);
    settlement_.emplace(*connection_, *requests_);
  }
  return *settlement_;
}

std::unique_ptr<DeliveryTransaction> StoreTransactions::begin() {
  const auto deadline = std::chrono::steady_clock::now() + options_.busy_timeout;
  auto turn = std::make_unique<WriteTurn::Hold>(*internals_.turn, deadline);
  std::unique_ptr<HandlerConnection> connection;
  {
    const MutexLock lock(mutex_);
    connection = std::move(idle_);
  }
  try {
    internals_.file->require_in_place(kCannotTransact, OpenedFile::Look::Committed);
    if (!connection) {
      require_current(path_, options_, internals_);
      connection = std::make_unique<HandlerConnection>(path_, options_, internals_);
      internals_.file->admit(connection->connection(), path_, kCannotTransact);
    }
    connection->begin(deadline);
  } catch (const SQLite::Exception& error) {
    if (connection && failure_kind(error.getErrorCode()) == FailureKind::Busy) {
      give_back(std::move(connection));
    }
    throw unusable(kCannotTransact, path_, error);
  }
  return std::make_unique<StoreTransaction>(*this, std::move(turn), std::move(connection));
}

void StoreTransactions::give_back(std::unique_ptr<HandlerConnection> connection) {
  const MutexLock lock(mutex_);
  idle_ = std::move(connection);
}

StoreTransaction::StoreTransaction(StoreTransactions& owner, std::unique_ptr<WriteTurn::Hold> turn,
                                   std::unique_ptr<HandlerConnection> connection)
    : owner_(owner),
      turn_(std::move(turn)),
      connection_(std::move(connection)),
      handle_(connection_->handle(), [](sqlite3*) {}) {}

StoreTransaction::~StoreTransaction() {
  handle_.reset();
  connection_->reset_statements();
  connection_->roll_back();
  if (reusable_) owner_.give_back(std::move(connection_));
  connection_.reset();  // before the turn is given to the next
}

template <class Work>
auto StoreTransaction::in_database(Work work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw unusable(kCannotTransact, owner_.path(), error);
  }
}

void StoreTransaction::require_whole() const {
  if (connection_->is_whole()) return;
  throw Error(ErrorCode::InvalidArgument,
              "the transaction of transaction(context) ended before its handler returned, and nothing of it "
              "was kept: SQLite rolled it back after an error, or the handler ended it itself; leave COMMIT "
              "and ROLLBACK to tidings (SAVEPOINT may be used), and let errors of SQLite out of the handler");
}

void StoreTransaction::lock(Journal& journal, Durability /*always synced*/) {
  const auto* const store = dynamic_cast<StoreJournal*>(&journal);
  if (store == nullptr || store->database() != owner_.path() ||
      !(store->file().identity() == owner_.file().identity())) {
    throw Error(ErrorCode::InvalidArgument,
                "this handler's transaction is of another database than the bus's journal; nothing was "
                "published");
  }
  require_whole();
  service_ = store->service();
  in_database([&] { store->owner_number().require(connection_->journal().owner_number()); });
}

std::vector<std::optional<EventId>> StoreTransaction::append(std::span<const JournalAppend> events) {
  return in_database([&] { return connection_->journal().append_all(events, service_); });
}

void StoreTransaction::store(const DeadLetter& letter) {
  in_database([&] { static_cast<void>(connection_->letters().insert(letter)); });
}

std::optional<std::vector<RedriveEnd>> StoreTransaction::settle(const std::string& claimed_by,
                                                                const RedriveResult& result) {
  require_whole();
  connection_->reset_statements();
  return in_database([&] { return connection_->settlement().settle_within(claimed_by, result); });
}

void StoreTransaction::commit(const JournalBatch& end) {
  connection_->reset_statements();
  require_whole();
  owner_.file().require_in_place(kCannotTransact, OpenedFile::Look::Committed);
  in_database([&] {
    if (!end.changed.empty() || !end.finished.empty())
      owner_.journal_owner().require(connection_->journal().owner_number());
    for (const JournalDelivery& delivery : end.changed) connection_->journal().change(delivery);
    connection_->journal().finish(end.finished);
  });
  tidings::detail::kill_point("transaction.completed");
  try {
    connection_->commit();
  } catch (const SQLite::Exception& error) {
    reusable_ = failure_kind(error.getErrorCode()) != FailureKind::Database;
    if (reusable_) throw unusable("cannot commit a handler's transaction in", owner_.path(), error);
    throw handler_in_doubt(owner_.path(), error);
  }
  try {
    owner_.file().require_in_place(kCannotTransact, OpenedFile::Look::Committed);
  } catch (const Error& error) {
    throw Error(ErrorCode::InDoubt, error.what(), error.sqlite_code());
  }
}

}  // namespace tidings::deadletter
