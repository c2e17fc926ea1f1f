#include "uuid_v7.hpp"

#include "random.hpp"

#include <algorithm>
#include <atomic>

namespace tidings {
namespace detail {
namespace {

/// Where a thread's ids have got to.
struct Sequence {
  UuidV7Fields last;
  /// The fork generation of `last`; 0: there is none yet.
  std::uint64_t generation = 0;
};

thread_local constinit Sequence sequence;

void begin_millisecond(std::uint64_t milliseconds, RandomState& random) noexcept {
  sequence.last.milliseconds = milliseconds;
  sequence.last.high = next_random(random) & UuidV7Fields::kMaxHigh;
  sequence.last.low = next_random(random) & UuidV7Fields::kMaxLow;
}

/// A random step (RFC 9562, section 6.2, method 2), so that seeing one id does not tell the next.
void count_up(RandomState& random) noexcept {
  UuidV7Fields& last = sequence.last;
  last.low += 1 + (next_random(random) & 0xffffffffU);
  if (last.low <= UuidV7Fields::kMaxLow) return;
  last.low &= UuidV7Fields::kMaxLow;
  if (++last.high > UuidV7Fields::kMaxHigh) begin_millisecond(last.milliseconds + 1, random);
}

/// A forked child inherits its parent's last id, and the parent may be counting on in the same millisecond.
void begin_process(std::uint64_t milliseconds, RandomState& random) noexcept {
  if (sequence.generation != 0) milliseconds = std::max(milliseconds, sequence.last.milliseconds + 1);
  sequence.generation = random.generation;
  begin_millisecond(milliseconds, random);
}

class UuidV7Source final : public IdSource {
 public:
  [[nodiscard]] EventId next(Timestamp now) noexcept override {
    RandomState& random = ready_random_state();
    const std::uint64_t milliseconds = uuid_milliseconds(now);
    if (sequence.generation != random.generation) [[unlikely]] {
      begin_process(milliseconds, random);
    } else if (milliseconds > sequence.last.milliseconds) {
      begin_millisecond(milliseconds, random);
    } else {
      count_up(random);
    }
    return make_uuid_v7(sequence.last);
  }
};

class SequentialIdSource final : public IdSource {
 public:
  [[nodiscard]] EventId next(Timestamp now) noexcept override {
    const std::uint64_t number = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    return make_uuid_v7({uuid_milliseconds(now), 0, number});
  }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace
}  // namespace detail

std::shared_ptr<IdSource> uuid_v7_source() {
  static const auto source = std::make_shared<detail::UuidV7Source>();
  return source;
}

std::shared_ptr<IdSource> sequential_id_source() { return std::make_shared<detail::SequentialIdSource>(); }

}  // namespace tidings
