#include <tidings/logging/sampling.hpp>

#include <tidings/error.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace tidings::logging {

namespace {

constexpr std::size_t kMaxNames = 4096;

struct Count {
  std::chrono::sys_seconds second{};
  std::uint64_t seen = 0;  // in that second
  std::uint64_t suppressed = 0;
};

/// Counts per event name, shared by all threads that log.
class Counts {
 public:
  /// Whether a record passes, and how many did not since the last that did. `admit` decides by a Count that
  /// has this record in it already.
  template <class Admit>
  bool pass(Record& record, const Admit& admit) {
    std::uint64_t suppressed = 0;
    {
      const std::lock_guard lock(mutex_);
      Count& count = count_of(record.event());
      const bool admitted = admit(count);
      if (!admitted) ++count.suppressed;
      if (!admitted) return false;
      suppressed = std::exchange(count.suppressed, 0);
    }
    if (suppressed > 0) record.set("suppressed", suppressed);
    return true;
  }

 private:
  Count& count_of(std::string_view event) {
    const auto found = by_event_.find(event);
    if (found != by_event_.end()) return found->second;
    return by_event_.size() < kMaxNames ? by_event_[std::string(event)] : overflow_;
  }

  std::mutex mutex_;
  std::map<std::string, Count, std::less<>> by_event_;  // guarded by mutex_
  Count overflow_;                                      // guarded by mutex_
};

}  // namespace

Processor sample_bursts(SamplingOptions options) {
  return [options, counts = std::make_shared<Counts>()](Record& record) {
    if (record.level() > options.up_to) return true;
    const auto second = std::chrono::floor<std::chrono::seconds>(record.timestamp());
    return counts->pass(record, [&](Count& count) {
      if (count.second != second) {
        count.second = second;
        count.seen = 0;
      }
      const std::uint64_t number = ++count.seen;
      if (number <= options.first) return true;
      return options.then_every != 0 && (number - options.first) % options.then_every == 0;
    });
  };
}

Processor sample_one_in(std::uint64_t n, Level up_to) {
  if (n == 0) throw Error(ErrorCode::InvalidArgument, "sample_one_in(n): n must be at least 1");
  return [n, up_to, counts = std::make_shared<Counts>()](Record& record) {
    if (record.level() > up_to) return true;
    return counts->pass(record, [n](Count& count) { return count.seen++ % n == 0; });
  };
}

}  // namespace tidings::logging
