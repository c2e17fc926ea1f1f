#pragma once

#include "counting/counter_book.hpp"
#include "log/bus_log.hpp"
#include "subscriptions/bus_setup.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/minutes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidings::detail {

/// Gathers what a bus has counted, at most once a second, and hands it to the sink's Minutes. What no other
/// commit has taken a moment later is flushed. While the sink takes nothing the counts wait: rows up to
/// kMostRows, then the counts themselves, which are sums and join a later minute. Nothing is lost but what
/// the last flush cannot keep. Thread-safe.
class MinuteWatch {
 public:
  static constexpr std::size_t kMostRows = 20'000;

  MinuteWatch(const BusSetup& setup, CounterBook& counts, BusLog& log);

  /// Does what is due. Throws std::bad_alloc: call again soon.
  void tick(Instant now) TIDINGS_EXCLUDES(mutex_);
  /// When tick() wants to be called next; nullopt: whenever the thread is awake anyway.
  [[nodiscard]] std::optional<Instant> due() const TIDINGS_EXCLUDES(mutex_);
  /// Gathers and keeps everything now, or leaves it for later. `last` is the end of the bus, when there is no
  /// later.
  enum class When : std::uint8_t { Now, Last };
  void flush(When when) noexcept TIDINGS_EXCLUDES(mutex_);

 private:
  void gather() TIDINGS_REQUIRES(mutex_);
  void hand_over() TIDINGS_REQUIRES(mutex_);
  /// False: the sink does not take them now.
  [[nodiscard]] bool keep() TIDINGS_REQUIRES(mutex_);

  const BusSetup& setup_;
  Minutes* const minutes_;  // null: there is nowhere to keep them
  CounterBook& counts_;
  BusLog& log_;

  mutable Mutex mutex_;
  std::vector<MinuteRow> rows_ TIDINGS_GUARDED_BY(mutex_);  // gathered, not taken by the sink
  std::optional<Instant> flush_at_ TIDINGS_GUARDED_BY(mutex_);
  Instant gather_at_ TIDINGS_GUARDED_BY(mutex_){};
};

}  // namespace tidings::detail
