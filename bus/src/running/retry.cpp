#include <tidings/retry.hpp>

#include <tidings/detail/longest_wait.hpp>
#include <tidings/error.hpp>

#include <algorithm>

namespace tidings {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string in_milliseconds(milliseconds delay) { return std::to_string(delay.count()) + " ms"; }

/// Uniform over 0 to `limit`, both included.
microseconds spread(microseconds limit, std::uint64_t random) noexcept {
  __extension__ using Wide = unsigned __int128;
  const auto values = static_cast<std::uint64_t>(limit.count()) + 1;
  return microseconds(static_cast<std::int64_t>(static_cast<std::uint64_t>(Wide{values} * random >> 64U)));
}

/// `first` doubled `times` times, at most `cap`; doubling stops before it could overflow.
microseconds doubled(microseconds first, std::uint32_t times, microseconds cap) noexcept {
  for (; times > 0 && first < cap; --times) first += std::min(first, cap - first);
  return first;
}

}  // namespace

microseconds Backoff::delay(std::uint32_t retry, std::uint64_t random) const noexcept {
  if (immediate()) return microseconds(0);
  const std::uint32_t doublings = doubles_ && retry > 0 ? retry - 1 : 0;
  const microseconds computed = doubled(first_, doublings, cap_);
  return jitter_ == Jitter::Full ? spread(computed, random) : computed;
}

Backoff constant(milliseconds delay, Jitter jitter) {
  if (delay <= milliseconds(0)) {
    throw Error(ErrorCode::InvalidArgument, "constant backoff: the delay must be positive, not " +
                                                in_milliseconds(delay) + "; use none() to retry at once");
  }
  Backoff backoff;
  backoff.first_ = backoff.cap_ = detail::bounded(delay);
  backoff.jitter_ = jitter;
  return backoff;
}

Backoff exponential(milliseconds first, milliseconds cap, Jitter jitter) {
  if (first <= milliseconds(0) || cap < first) {
    throw Error(ErrorCode::InvalidArgument,
                "exponential backoff: the first delay must be positive and not above the cap, not " +
                    in_milliseconds(first) + " with a cap of " + in_milliseconds(cap));
  }
  Backoff backoff;
  backoff.first_ = detail::bounded(first);
  backoff.cap_ = detail::bounded(cap);
  backoff.doubles_ = true;
  backoff.jitter_ = jitter;
  return backoff;
}

}  // namespace tidings
