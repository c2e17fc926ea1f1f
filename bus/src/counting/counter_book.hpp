#pragma once

#include "counting/count_cells.hpp"
#include "counting/handler_count.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/minutes.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::detail {

class ListCount;

/// What a bus counts of its deliveries, by event type and handler, for Minutes. Publishes of a type that has
/// subscribers are counted by a ListCount; everything else here, by name or through the HandlerCount that a
/// subscriber keeps. Thread-safe.
class CounterBook {
 public:
  /// Event types may come from outside, so their number is bounded.
  static constexpr std::size_t kMostKeys = 10'000;

  /// `on` is false for a bus that has nowhere to keep minutes: then it counts nothing.
  explicit CounterBook(bool on, std::size_t most_keys = kMostKeys) noexcept
      : on_(on), most_keys_(most_keys) {}
  CounterBook(const CounterBook&) = delete;
  CounterBook& operator=(const CounterBook&) = delete;
  ~CounterBook() = default;

  [[nodiscard]] bool on() const noexcept { return on_; }

  /// The counts of a handler, or of the type (an empty handler). Null if it counts nothing, or has as many
  /// keys as it may. May throw std::bad_alloc.
  [[nodiscard]] std::shared_ptr<HandlerCount> find(std::string_view event_type, std::string_view handler)
      TIDINGS_EXCLUDES(mutex_);
  /// Calls `change` with the counts of a handler, or counts as lost what it would count.
  template <class Change>
  void change(std::string_view event_type, std::string_view handler, const Change& change) noexcept {
    if (!on_) return;
    if (const auto count = find_or_lose(event_type, handler)) change(*count);
  }

  /// Appends what was counted since the last call, one row for each key that has anything. May throw
  /// std::bad_alloc; then nothing was lost.
  void gather(Timestamp minute, std::vector<MinuteRow>& rows) TIDINGS_EXCLUDES(mutex_);
  /// Changes that were not counted since the last call, for lack of memory or because there are too many
  /// keys.
  [[nodiscard]] std::uint64_t take_lost() noexcept { return lost_.exchange(0, std::memory_order_relaxed); }

 private:
  friend class ListCount;
  using Key = std::pair<std::string_view, std::string_view>;  // of names that the counts own

  [[nodiscard]] std::shared_ptr<HandlerCount> find_or_lose(std::string_view event_type,
                                                           std::string_view handler) noexcept;
  void forget_idle() noexcept TIDINGS_REQUIRES(mutex_);

  const bool on_;
  const std::size_t most_keys_;
  std::atomic<std::uint64_t> lost_{0};

  Mutex mutex_;
  std::map<Key, std::shared_ptr<HandlerCount>> counts_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<ListCount*> lists_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
