#include "raw_journal.hpp"

#include "durable_event.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace tidings::bench {

namespace {

constexpr const char* kInsert =
    "INSERT INTO tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding,"
    " attributes, source, service, correlation_id, causation_id, causation_depth, traceparent, tracestate,"
    " published_at, handlers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kRemove = "DELETE FROM tidings_journal WHERE id BETWEEN ? AND ?";
constexpr const char* kBytes = "SELECT sum(length(event_data)) FROM tidings_journal";
constexpr std::chrono::microseconds kGatherFor{100};

/// Not called bind: with a std::string as argument that would be std::bind.
void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

}  // namespace

RawJournal::RawJournal(const std::filesystem::path& path) : data_(nlohmann::json(DurableEvent{}).dump()) {
  require(sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
  execute("PRAGMA synchronous = FULL");
  execute("PRAGMA secure_delete = ON");
  require(sqlite3_prepare_v2(database_, kInsert, -1, &insert_, nullptr));
  require(sqlite3_prepare_v2(database_, kRemove, -1, &remove_, nullptr));
}

RawJournal::~RawJournal() {
  sqlite3_finalize(insert_);
  sqlite3_finalize(remove_);
  sqlite3_close(database_);
}

void RawJournal::publish(std::int64_t events) {
  std::unique_lock lock(mutex_);
  wanted_ += events;
  const std::int64_t ticket = wanted_;
  changed_.notify_all();
  while (committed_ < ticket) {
    if (committing_) {
      changed_.wait(lock);
      continue;
    }
    committing_ = true;
    if (last_group_ > events)
      changed_.wait_for(lock, kGatherFor, [&] { return wanted_ - committed_ >= last_group_; });
    last_group_ = wanted_ - committed_;
    const std::int64_t group = last_group_;
    lock.unlock();
    commit(next_id_, group);
    lock.lock();
    committed_ += group;
    committing_ = false;
    changed_.notify_all();
  }
}

void RawJournal::commit(std::int64_t first, std::int64_t count) {
  execute("BEGIN IMMEDIATE");
  // First, so that the rows to come take the pages that this frees.
  if (kept_from_ < first) {
    sqlite3_bind_int64(remove_, 1, kept_from_);
    sqlite3_bind_int64(remove_, 2, first - 1);
    require(sqlite3_step(remove_), SQLITE_DONE);
    require(sqlite3_reset(remove_));
  }
  for (std::int64_t id = first; id < first + count; ++id) insert(id);
  execute("COMMIT");
  kept_from_ = first;
  next_id_ = first + count;
}

void RawJournal::insert(std::int64_t id) {
  constexpr std::string_view kId = "019aa6a1-7b00-7abc-8def-0123456789ab";
  sqlite3_bind_int64(insert_, 1, id);
  bind_text(insert_, 2, kId);
  bind_text(insert_, 3, DurableEvent::event_type);
  sqlite3_bind_int64(insert_, 4, 1);
  bind_text(insert_, 5, data_);
  bind_text(insert_, 6, "json");
  bind_text(insert_, 7, "{}");
  bind_text(insert_, 8, "/bench");
  bind_text(insert_, 9, "bench");
  bind_text(insert_, 10, kId);
  sqlite3_bind_null(insert_, 11);
  sqlite3_bind_int64(insert_, 12, 0);
  sqlite3_bind_null(insert_, 13);
  sqlite3_bind_null(insert_, 14);
  sqlite3_bind_int64(insert_, 15, 1'795'253'400'000'000);
  bind_text(insert_, 16, "[\"count\"]");
  require(sqlite3_step(insert_), SQLITE_DONE);
  require(sqlite3_reset(insert_));
}

std::uint64_t RawJournal::bytes_of_last_group() {
  sqlite3_stmt* sum = nullptr;
  require(sqlite3_prepare_v2(database_, kBytes, -1, &sum, nullptr));
  require(sqlite3_step(sum), SQLITE_ROW);
  const auto bytes = static_cast<std::uint64_t>(sqlite3_column_int64(sum, 0));
  sqlite3_finalize(sum);
  return bytes;
}

void RawJournal::execute(const char* sql) {
  require(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr));
}

void RawJournal::require(int result, int expected) const {
  if (result != expected) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(database_));
}

double overwrites_each_second(const std::filesystem::path& file, std::size_t times) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::runtime_error("cannot open " + file.native());
  const std::vector<char> block(4096, 'x');
  bool written = ::pwrite(descriptor, block.data(), block.size(), 0) == 4096 && ::fsync(descriptor) == 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) {
    written = written && ::pwrite(descriptor, block.data(), block.size(), 0) == 4096 &&
              ::fdatasync(descriptor) == 0;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ::close(descriptor);
  if (!written) throw std::runtime_error("cannot write and sync " + file.native());
  return static_cast<double>(times) / took.count();
}

}  // namespace tidings::bench
