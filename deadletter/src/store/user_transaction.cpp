#include "store/user_transaction.hpp"

#include <tidings/deadletter/transaction.hpp>

#include "file/sqlite_error.hpp"
#include "letters/letter_insert.hpp"
#include "store/store_journal.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <system_error>

namespace tidings::deadletter {
namespace {

constexpr const char* kMain = "main";
constexpr const char* kCannotPublish = "cannot publish in the transaction on";
constexpr const char* kNothing = "; nothing was published";
/// Takes the write lock and changes nothing.
constexpr const char* kTakeLock = "DELETE FROM main.tidings_journal WHERE id < 0";

[[noreturn]] void refuse_connection(const std::string& why) {
  throw Error(ErrorCode::InvalidArgument, "publish_in: " + why + kNothing);
}

/// The file that the connection's main database is; empty: it is in memory or temporary.
std::filesystem::path main_file(sqlite3* connection) {
  const char* const name = sqlite3_db_filename(connection, kMain);
  return name == nullptr ? "" : name;
}

std::filesystem::path same_spelling(const std::filesystem::path& path) {
  std::error_code failed;
  auto result = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : result;
}

}  // namespace

template <class Work>
auto UserTransaction::in_database(Work work) const {
  return translated(kCannotPublish, main_file(connection_), work);
}

UserTransaction::UserTransaction(sqlite3* connection) : connection_(connection) {
  if (connection_ == nullptr)
    refuse_connection("the connection is null; give the one that has the transaction");
  if (sqlite3_get_autocommit(connection_) != 0) {
    refuse_connection(
        "the connection has no open transaction, so there is nothing to commit the event with: execute BEGIN "
        "IMMEDIATE first, or use Bus::publish");
  }
}

void UserTransaction::lock(Journal& journal, Durability durability) {
  const auto* const store = dynamic_cast<StoreJournal*>(&journal);
  if (store == nullptr) {
    throw Error(ErrorCode::NoJournal,
                std::string("publish_in: the journal of this bus is not a tidings::deadletter::Store's; set "
                            "BusOptions::store to one") +
                    kNothing);
  }
  require_database(*store);
  service_ = store->service();
  in_database([&] {
    if (durability == Durability::PowerLoss) require_sync();
    if (sqlite3_txn_state(connection_, kMain) != SQLITE_TXN_WRITE) take_lock();
    appender_.emplace(connection_);
    store->owner_number().require(appender_->owner_number());
  });
}

/// By its path, since that names the -wal file too, and by the file itself: another may be at the path by
/// now.
void UserTransaction::require_database(const StoreJournal& store) const {
  const auto& journal = store.database();
  const auto file = main_file(connection_);
  int moved = 0;
  sqlite3_file_control(connection_, kMain, SQLITE_FCNTL_HAS_MOVED, &moved);
  if (file != journal && same_spelling(file) != same_spelling(journal)) {
    refuse_connection(
        "the connection's main database is " +
        (file.empty() ? std::string("not a file") : printable(file.native())) + ", but the journal is in " +
        printable(journal.native()) +
        ": open that file as the main database (a commit over attached files is not atomic in WAL mode)");
  }
  if (moved != 0) {
    refuse_connection("the file " + printable(file.native()) +
                      " was deleted or replaced since the connection was opened; open it anew");
  }
  store.file().require_in_place(kCannotPublish);
}

void UserTransaction::require_sync() const {
  constexpr std::int64_t kFull = 2;
  Prepared setting(connection_, "PRAGMA main.synchronous");
  if (setting.step() && setting.column_integer(0) >= kFull) return;
  refuse_connection(
      "a PowerLoss event needs a connection whose commits are synced: execute PRAGMA synchronous = FULL on"
      " it before the transaction begins, or publish with Durability::ProcessCrash");
}

void UserTransaction::take_lock() {
  try {
    Prepared(connection_, kTakeLock).run();
  } catch (const SQLite::Exception& error) {
    if (error.getExtendedErrorCode() != SQLITE_BUSY_SNAPSHOT) throw;
    throw unusable(kCannotPublish, main_file(connection_),
                   "others have written since the transaction began to read, so it can never write: roll it "
                   "back, and begin it with BEGIN IMMEDIATE",
                   ErrorCode::DatabaseBusy, error.getExtendedErrorCode());
  }
}

std::vector<std::optional<EventId>> UserTransaction::append(std::span<const JournalAppend> events) {
  return in_database([&] { return appender_->append_all(events, service_); });
}

void UserTransaction::store(const DeadLetter& letter) {
  in_database([&] { static_cast<void>(LetterInsert(connection_).insert(letter)); });
}

PublishResult detail::publish_in(sqlite3* connection, Bus& bus, const tidings::detail::Payload& payload,
                                 const PublishOptions& options) {
  UserTransaction transaction(connection);
  return tidings::detail::publish_in(bus, transaction, payload, options);
}

}  // namespace tidings::deadletter
