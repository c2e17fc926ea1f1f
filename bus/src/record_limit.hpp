#pragma once

#include <tidings/clock.hpp>
#include <tidings/detail/mutex.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tidings::detail {

/// Holds back log records that repeat faster than 100 a second, so that a failure storm neither fills a disk
/// nor slows the healthy. Records are told apart by name and cause. Thread-safe.
class RecordLimit {
 public:
  static constexpr std::uint32_t kPerSecond = 100;

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
                           std::string_view event_id, Instant now);
  /// What was held back in seconds that are over. Each is told once.
  [[nodiscard]] std::vector<Summary> take_summaries(Instant now);
  /// When the next summary is ready; nothing if nothing is held back.
  [[nodiscard]] std::optional<Instant> due() const;

 private:
  struct Window {
    Instant began{};
    std::uint32_t admitted = 0;
    Summary summary;
  };

  static void begin(Window& window, Instant now);

  mutable Mutex mutex_;
  std::unordered_map<std::string, Window> windows_ TIDINGS_GUARDED_BY(mutex_);
  std::vector<Summary> finished_ TIDINGS_GUARDED_BY(mutex_);
  std::optional<Instant> due_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
