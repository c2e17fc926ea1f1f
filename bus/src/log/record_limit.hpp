#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tidings::detail {

/// How many records of one name and cause are written within a time.
struct RecordRate {
  std::uint32_t records;
  std::chrono::seconds within;
};

/// Holds back log records that repeat too fast, so that a failure storm neither fills a disk nor slows the
/// healthy. Each name and cause has a limit of its own. Thread-safe.
class RecordLimit {
 public:
  /// For what happens to events and letters, each of which is worth a record.
  static constexpr RecordRate kOfEvents{100, std::chrono::seconds(1)};
  /// For faults of the bus or its database that every new try meets again.
  static constexpr RecordRate kOfFaults{10, std::chrono::seconds(10)};

  struct Summary {
    std::string record;
    std::string handler;
    std::string fingerprint;
    std::uint64_t held_back = 0;
    /// The last record held back, so that a storm's end can be found.
    std::string last_event_id;
  };

  /// Whether this record may be written now. If not it is counted.
  [[nodiscard]] bool admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                           std::string_view event_id, Instant now, RecordRate rate = kOfEvents);
  /// What was held back in windows that are over. Each summary is returned once.
  [[nodiscard]] std::vector<Summary> take_summaries(Instant now);
  /// When the next summary is ready; nullopt if nothing is held back.
  [[nodiscard]] std::optional<Instant> due() const;

 private:
  struct Window {
    Instant began{};
    RecordRate rate = kOfEvents;
    std::uint32_t admitted = 0;
    [[nodiscard]] bool is_over(Instant now) const noexcept { return now - began >= rate.within; }
    Summary summary;
  };

  static void begin(Window& window, Instant now);
  /// Whether so many causes repeat that a new one gets no limit of its own.
  [[nodiscard]] bool crowded(Instant now) TIDINGS_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<std::string, Window> windows_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<Summary> finished_ TIDINGS_GUARDED_BY(mutex_);
  std::optional<Instant> due_ TIDINGS_GUARDED_BY(mutex_);
  Instant cleared_ TIDINGS_GUARDED_BY(mutex_){};
};

}  // namespace tidings::detail
