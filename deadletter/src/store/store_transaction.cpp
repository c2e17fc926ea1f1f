#include "store/store_transaction.hpp"

#include <tidings/deadletter/transaction.hpp>

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

/// Keeps a connection whose statements the handler still has: SQLite does not close it before they are
/// finalized.
void keep_for_ever(std::unique_ptr<RedriveConnection> connection) {
  static tidings::detail::Mutex mutex;
  static auto& kept TIDINGS_GUARDED_BY(mutex) =
      *new std::vector<std::unique_ptr<RedriveConnection>>;  // never destroyed
  const MutexLock lock(mutex);
  kept.push_back(std::move(connection));
}

}  // namespace

HandlerConnection::HandlerConnection(const StoreSettings& settings)
    : connection_(std::make_unique<RedriveConnection>(settings.path, writing_options(settings),
                                                      claim_judge(settings))) {
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
  const auto deadline = std::chrono::steady_clock::now() + settings_.options.busy_timeout;
  auto turn = std::make_unique<WriteTurn::Hold>(*settings_.internals.turn, deadline);
  Opened<HandlerConnection> connection;
  {
    const MutexLock lock(mutex_);
    connection = std::move(idle_);
  }
  try {
    settings_.internals.file->require_in_place(kCannotTransact, OpenedFile::Look::Committed);
    if (!connection) connection = connect<HandlerConnection>(settings_, kCannotTransact, settings_);
    connection->begin(deadline);
  } catch (const SQLite::Exception& error) {
    if (connection && failure_kind(error.getErrorCode()) == FailureKind::Busy) {
      give_back(std::move(connection));
    }
    throw unusable(kCannotTransact, settings_.path, error);
  }
  return std::make_unique<StoreTransaction>(*this, std::move(turn), std::move(connection));
}

void StoreTransactions::give_back(Opened<HandlerConnection> connection) {
  const MutexLock lock(mutex_);
  idle_ = std::move(connection);
}

StoreTransaction::StoreTransaction(StoreTransactions& owner, std::unique_ptr<WriteTurn::Hold> turn,
                                   Opened<HandlerConnection> connection)
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
  return translated(kCannotTransact, owner_.path(), work);
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
    reusable_ = !makes_suspect(error);
    if (reusable_) throw unusable("cannot commit a handler's transaction in", owner_.path(), error);
    throw unusable(kCannotTransact, owner_.path(),
                   CommitInDoubt(error, " of a handler's transaction",
                                 ", what the handler wrote and its completion together"));
  }
  try {
    owner_.file().require_in_place(kCannotTransact, OpenedFile::Look::Committed);
  } catch (const Error& error) {
    throw Error(ErrorCode::InDoubt, error.what(), error.sqlite_code());
  }
}

sqlite3* Transaction::connection() const {
  if (const auto connection = connection_.lock()) return connection.get();
  throw Error(ErrorCode::InvalidArgument,
              "this transaction ended when its handler returned; ask for transaction(context) in each run of "
              "the handler, and keep neither it nor its connection");
}

Transaction transaction(const EventContext& context) {
  auto* const own = dynamic_cast<StoreTransaction*>(&tidings::detail::open_transaction(context));
  if (own != nullptr) return Transaction(own->handle());
  throw Error(ErrorCode::NoJournal,
              "the store of this bus is not a tidings::deadletter::Store, whose transactions these are");
}

}  // namespace tidings::deadletter
