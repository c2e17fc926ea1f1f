#pragma once

#include <tidings/clock.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

namespace tidings::detail {

/// Limits redrive requests to their rate; used by the sinks. Letters pass in small groups, each followed by
/// the time that it takes at that rate, so that no second exceeds it. Groups that other buses have claimed
/// count too, as soon as they are seen. Not thread-safe.
class RedrivePace {
 public:
  /// How many letters may be claimed now of a request of which anyone has claimed `begun` so far.
  [[nodiscard]] std::size_t allowed(std::int64_t request, double rate, std::uint64_t begun, Instant now) {
    const auto [entry, is_new] = requests_.try_emplace(request, Request{begun, now});
    Request& known = entry->second;
    if (is_new ? begun > 0 : begun > known.begun) {
      known.next = std::max(known.next, now + time_of(is_new ? group(rate) : begun - known.begun, rate));
    }
    known.begun = begun;
    return now >= known.next ? group(rate) : 0;
  }
  void claimed(std::int64_t request, double rate, std::size_t letters, Instant now) {
    Request& known = requests_[request];
    known.begun += letters;
    known.next = std::max(known.next, now) + time_of(letters, rate);
  }
  /// When allowed() will be above 0 again.
  [[nodiscard]] Instant next(std::int64_t request) const {
    const auto known = requests_.find(request);
    return known == requests_.end() ? Instant{} : known->second.next;
  }
  void forget(std::int64_t request) { requests_.erase(request); }

 private:
  struct Request {
    std::uint64_t begun = 0;
    Instant next;
  };
  /// The letters of a twentieth of a second.
  static std::size_t group(double rate) {
    return static_cast<std::size_t>(std::clamp(rate / 20.0, 1.0, 1e6));
  }
  static Instant::duration time_of(std::uint64_t letters, double rate) {
    constexpr double kLongest = 86'400;
    return std::chrono::ceil<std::chrono::microseconds>(
        std::chrono::duration<double>(std::min(static_cast<double>(letters) / rate, kLongest)));
  }

  std::map<std::int64_t, Request> requests_;
};

}  // namespace tidings::detail
