#pragma once

#include "sqlite/connection.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/minutes.hpp>

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

namespace tidings::deadletter {

/// What buses have counted and no transaction has committed yet. It goes with the next transaction that the
/// store commits for other reasons, or with one of its own. Sums, so that it does not matter which. A commit
/// whose outcome is unknown may be counted twice. Thread-safe.
class MinuteBuffer {
 public:
  /// Older minutes are deleted, by whoever writes; zero: never.
  explicit MinuteBuffer(std::chrono::hours retention) noexcept : retention_(retention) {}

  /// Throws std::bad_alloc, and then took nothing.
  void add(std::string_view service, std::span<const MinuteRow> rows) TIDINGS_EXCLUDES(mutex_);
  [[nodiscard]] bool anything_waits() const TIDINGS_EXCLUDES(mutex_);

  /// Writes what waits in the open transaction. One thread at a time, from here to written() or
  /// not_written(). Throws SQLite::Exception.
  void write(Connection& connection) TIDINGS_EXCLUDES(mutex_);
  /// As write(), but a failure of what is only counted is not one of the transaction: it is undone alone, and
  /// what waits does so until write() has succeeded. Throws SQLite::Exception when the transaction is over,
  /// too.
  void write_along(Connection& connection) TIDINGS_EXCLUDES(mutex_);
  /// The transaction was committed.
  void written() noexcept TIDINGS_EXCLUDES(mutex_);
  /// It was not. Does nothing if written() was called since, or nothing was written.
  void not_written() noexcept TIDINGS_EXCLUDES(mutex_);

 private:
  using Key = std::tuple<Timestamp, std::string, std::string, std::string>;
  using Sums = std::map<Key, DeliveryCounts>;

  const std::chrono::hours retention_;
  mutable tidings::detail::Mutex mutex_;
  Sums waiting_ TIDINGS_GUARDED_BY(mutex_);
  Sums writing_ TIDINGS_GUARDED_BY(mutex_);
  bool only_alone_ TIDINGS_GUARDED_BY(mutex_) = false;  // writing along has failed
  Timestamp purged_at_ TIDINGS_GUARDED_BY(mutex_){};
};

/// The part that one transaction has in a MinuteBuffer: not written, unless that is said. `buffer` may be
/// null.
class CarriedMinutes {
 public:
  explicit CarriedMinutes(MinuteBuffer* buffer) noexcept : buffer_(buffer) {}
  ~CarriedMinutes() {
    if (buffer_ != nullptr) buffer_->not_written();
  }
  CarriedMinutes(const CarriedMinutes&) = delete;
  CarriedMinutes& operator=(const CarriedMinutes&) = delete;

  void write_along(Connection& connection) {
    if (buffer_ != nullptr) buffer_->write_along(connection);
  }
  void committed() noexcept {
    if (buffer_ != nullptr) buffer_->written();
  }

 private:
  MinuteBuffer* const buffer_;
};

}  // namespace tidings::deadletter
