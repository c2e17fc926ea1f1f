#pragma once

#include "counting/count_cells.hpp"
#include "counting/handler_count.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/metrics.hpp>
#include <tidings/minutes.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::detail {

class ListCount;

/// What a bus counts whether or not it counts deliveries. Thread-safe.
struct BusTally {
  std::array<std::atomic<std::uint64_t>, kReasons.size()> letters{};  // by Reason
  std::atomic<std::uint64_t> duplicates{0};
  std::atomic<std::uint64_t> redriven{0};
  std::atomic<std::uint64_t> redrives_failed{0};

  static void add(std::atomic<std::uint64_t>& count) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
  }
  void letter(Reason reason) noexcept { add(letters[static_cast<std::size_t>(reason)]); }
};

/// What a bus counts of its deliveries, by event type and handler, for Minutes and for Metrics. Publishes of
/// a type that has subscribers are counted by a ListCount; everything else here, by name or through the
/// HandlerCount that a subscriber keeps. What was counted is collected in one place, and goes to the series
/// of Metrics, which are bounded and never fall, and to the rows of the current minute. Thread-safe.
class CounterBook {
 public:
  /// Event types may come from outside, so their number is bounded.
  static constexpr std::size_t kMostKeys = 10'000;
  /// Of types, and as many of handlers.
  static constexpr std::size_t kMostSeries = 1'000;

  enum class For : std::uint8_t {
    Nothing,
    Metrics,
    MinutesToo,
  };
  explicit CounterBook(For purpose, std::size_t most_keys = kMostKeys, std::size_t most_series = kMostSeries);
  CounterBook(const CounterBook&) = delete;
  CounterBook& operator=(const CounterBook&) = delete;
  ~CounterBook() = default;

  [[nodiscard]] bool on() const noexcept { return purpose_ != For::Nothing; }
  [[nodiscard]] BusTally& tally() noexcept { return tally_; }

  /// A handler of a type ("*": of all) is subscribed: both have series from now on, if there is room. Returns
  /// the counts of its deliveries; null if it counts nothing, or counts them by their types. May throw
  /// std::bad_alloc.
  [[nodiscard]] std::shared_ptr<HandlerCount> subscribed(std::string_view event_type,
                                                         std::string_view handler) TIDINGS_EXCLUDES(mutex_);
  /// The counts of a handler, or of the type (an empty handler). Null if it counts nothing, or has as many
  /// keys as it may. May throw std::bad_alloc.
  [[nodiscard]] std::shared_ptr<HandlerCount> find(std::string_view event_type, std::string_view handler)
      TIDINGS_EXCLUDES(mutex_);
  /// The same, but what has no place of its own is counted as lost for Minutes, and for Metrics as
  /// kOtherSeries. Null if it counts nothing.
  [[nodiscard]] std::shared_ptr<HandlerCount> find_any(std::string_view event_type,
                                                       std::string_view handler) noexcept;
  /// Calls `change` with the counts of a handler.
  template <class Change>
  void change(std::string_view event_type, std::string_view handler, const Change& change) noexcept {
    if (!on()) return;
    change(*find_any(event_type, handler));
  }

  /// Appends what was counted since the last call, one row for each key that has anything. May throw
  /// std::bad_alloc; then nothing was lost.
  void gather(Timestamp minute, std::vector<MinuteRow>& rows) TIDINGS_EXCLUDES(mutex_);
  /// Changes that no row has since the last call, for lack of memory or because there are too many keys.
  [[nodiscard]] std::uint64_t take_lost() noexcept {
    const std::uint64_t lost = lost_.load(std::memory_order_relaxed);
    return lost - lost_taken_.exchange(lost, std::memory_order_relaxed);
  }
  /// Writes what was counted since the bus was made. May throw std::bad_alloc.
  void read(Metrics& metrics) TIDINGS_EXCLUDES(mutex_);

 private:
  friend class ListCount;
  using Key = std::pair<std::string_view, std::string_view>;  // of names that the counts own
  struct Kept {
    Series series;
    std::shared_ptr<HandlerCount> count;  // of its key
  };
  /// Of what has no series of its own: types, or handlers.
  struct Others {
    Others(std::string_view event_type, std::string_view handler)
        : series{std::string(event_type), std::string(handler)},
          count(std::make_shared<HandlerCount>(event_type, handler, series)) {}
    Series series;
    const std::shared_ptr<HandlerCount> count;
  };

  [[nodiscard]] bool for_minutes() const noexcept { return purpose_ == For::MinutesToo; }
  [[nodiscard]] Others& others(std::string_view handler) noexcept {
    return handler.empty() ? other_types_ : other_handlers_;
  }
  [[nodiscard]] std::shared_ptr<HandlerCount> find_locked(std::string_view event_type,
                                                          std::string_view handler) TIDINGS_REQUIRES(mutex_);
  /// The series of a key, or of the handler of all events of that name, or null.
  [[nodiscard]] Kept* kept(std::string_view event_type, std::string_view handler) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] Series& series_of(std::string_view event_type, std::string_view handler)
      TIDINGS_REQUIRES(mutex_);
  void begin_series(std::string_view event_type, std::string_view handler) TIDINGS_REQUIRES(mutex_);
  void collect() noexcept TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool has_room() TIDINGS_REQUIRES(mutex_);
  void forget_idle() noexcept TIDINGS_REQUIRES(mutex_);

  const For purpose_;
  const std::size_t most_keys_;
  const std::size_t most_series_;
  BusTally tally_;
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> lost_taken_{0};

  Mutex mutex_;
  Others other_types_;  // but for the series, which the mutex guards
  Others other_handlers_;
  std::map<Key, std::unique_ptr<Kept>> types_ TIDINGS_GUARDED_BY(mutex_);
  std::map<Key, std::unique_ptr<Kept>> handlers_ TIDINGS_GUARDED_BY(mutex_);
  std::map<Key, std::shared_ptr<HandlerCount>> counts_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<ListCount*> lists_ TIDINGS_GUARDED_BY(mutex_);
  /// No key can be forgotten before the next collection.
  bool full_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
