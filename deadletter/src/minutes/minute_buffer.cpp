#include "minutes/minute_buffer.hpp"

#include "minutes/minute_table.hpp"
#include "sqlite/prepared.hpp"
#include "sqlite/stored_time.hpp"

#include <SQLiteCpp/Exception.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tidings::deadletter {

using tidings::detail::MutexLock;

namespace {

std::string added() {
  std::string places;
  std::string sums;
  const std::string columns = count_columns();
  for (std::size_t begin = 0; begin < columns.size();) {
    const std::size_t end = std::min(columns.find(", ", begin), columns.size());
    const std::string column = columns.substr(begin, end - begin);
    places += ", ?";
    (((((sums += sums.empty() ? "" : ", ") += column) += " = ") += column) += " + excluded.") += column;
    begin = end + 2;
  }
  return "INSERT INTO tidings_minutes (minute, service, event_type, handler, " + columns +
         ") VALUES (?, ?, ?, ?" + places + ") ON CONFLICT DO UPDATE SET " + sums;
}

/// At most an hour of them: this is called once a minute.
constexpr const char* kPurge =
    "DELETE FROM tidings_minutes WHERE minute < ?1"
    " AND minute < (SELECT min(minute) FROM tidings_minutes) + 3600000000";

}  // namespace

void MinuteBuffer::add(std::string_view service, std::span<const MinuteRow> rows) {
  Sums sums;
  for (const MinuteRow& row : rows)
    sums[{row.minute, std::string(service), row.event_type, row.handler}] += row.counts;
  const MutexLock lock(mutex_);
  for (auto& [key, counts] : sums) {
    const auto known = waiting_.find(key);
    if (known == waiting_.end()) continue;
    known->second += counts;
  }
  waiting_.merge(sums);
}

bool MinuteBuffer::anything_waits() const {
  const MutexLock lock(mutex_);
  return !waiting_.empty();
}

void MinuteBuffer::write(Connection& connection) {
  Sums* rows = nullptr;
  Timestamp purge_before{};
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty()) return;
    writing_.swap(waiting_);
    rows = &writing_;
    const Timestamp newest = std::get<0>(writing_.rbegin()->first);
    // Not only a later one: a clock that was far ahead for a moment would end this for as long.
    if (retention_.count() > 0 && newest != purged_at_) purge_before = newest - retention_;
    purged_at_ = newest;
  }
  static const std::string& insert_or_add = *new std::string(added());  // a bus may end after other statics
  Prepared add(connection.database(), insert_or_add);
  for (const auto& [key, counts] : *rows) {
    const auto& [minute, service, event_type, handler] = key;
    add.integer(microseconds(minute));
    add.text(service);
    add.text(event_type);
    add.text(handler);
    bind_counts(add, counts);
    add.run();
  }
  if (purge_before == Timestamp{}) return;
  Prepared purge(connection.database(), kPurge);
  purge.integer(microseconds(purge_before));
  purge.run();
}

void MinuteBuffer::write_along(Connection& connection) {
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty() || only_alone_) return;
  }
  connection.execute("SAVEPOINT tidings_minutes");
  try {
    write(connection);
  } catch (const SQLite::Exception&) {
    not_written();
    {
      const MutexLock lock(mutex_);
      only_alone_ = true;
    }
    if (!connection.in_transaction()) throw;  // a failing disk ends it all, and the savepoint with it
    connection.execute("ROLLBACK TO tidings_minutes");
  }
  connection.execute("RELEASE tidings_minutes");
}

void MinuteBuffer::written() noexcept {
  const MutexLock lock(mutex_);
  if (!writing_.empty()) only_alone_ = false;
  writing_.clear();
}

/// Needs no memory.
void MinuteBuffer::not_written() noexcept {
  const MutexLock lock(mutex_);
  for (const auto& [key, counts] : writing_) {
    const auto newer = waiting_.find(key);
    if (newer != waiting_.end()) newer->second += counts;
  }
  waiting_.merge(writing_);
  writing_.clear();
}

}  // namespace tidings::deadletter
