#include "ids/uuid_v7.hpp"

#include "ids/random.hpp"

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

/// The first id of a thread or a millisecond. A forked child inherits its parent's last id, and the parent
/// may be counting on in the same millisecond.
[[gnu::cold, gnu::noinline]] EventId begin_anew(std::uint64_t milliseconds) noexcept {
  RandomState& random = ready_random_state();
  if (sequence.generation != random.generation) {
    if (sequence.generation != 0) milliseconds = std::max(milliseconds, sequence.last.milliseconds + 1);
    sequence.generation = random.generation;
  }
  begin_millisecond(milliseconds, random);
  return make_uuid_v7(sequence.last);
}

/// The lowest part has been counted past its end.
[[gnu::cold, gnu::noinline]] EventId carry() noexcept {
  UuidV7Fields& last = sequence.last;
  last.low &= UuidV7Fields::kMaxLow;
  if (++last.high > UuidV7Fields::kMaxHigh) begin_millisecond(last.milliseconds + 1, random_state);
  return make_uuid_v7(last);
}

class UuidV7Source final : public IdSource {
 public:
  [[nodiscard]] EventId next(Timestamp now) noexcept override {
    const std::uint64_t milliseconds = uuid_milliseconds(now);
    if (sequence.generation != fork_generation() || milliseconds > sequence.last.milliseconds) [[unlikely]]
      return begin_anew(milliseconds);
    // A random step (RFC 9562, section 6.2, method 2), so that seeing one id does not tell the next.
    sequence.last.low += 1 + (next_random(random_state) & 0xffffffffU);
    if (sequence.last.low > UuidV7Fields::kMaxLow) [[unlikely]]
      return carry();
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
