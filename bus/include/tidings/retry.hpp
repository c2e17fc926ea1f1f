#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tidings {

/// Thrown by a handler that knows that trying again is useless: the delivery becomes a dead letter at once,
/// with reason `permanent`.
class Permanent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thrown by a handler that knows when trying again makes sense (HTTP 429 and 503 say so in Retry-After).
/// Takes the place of the policy's backoff for this retry, without jitter; attempts are counted as always.
class RetryAfter : public std::runtime_error {
 public:
  /// A negative delay counts as none.
  explicit RetryAfter(std::chrono::milliseconds delay, const std::string& why = "asked to retry later")
      : std::runtime_error(why), delay_(delay) {}
  [[nodiscard]] std::chrono::milliseconds delay() const noexcept { return delay_; }

 private:
  std::chrono::milliseconds delay_;
};

/// How a computed delay is spread, so that clients that failed together do not return together.
enum class Jitter : std::uint8_t {
  None,  ///< Exactly the computed delay.
  Full,  ///< Uniformly from zero to the computed delay.
};

/// How long to wait before the next attempt. A plain value; make it with none(), constant() or exponential().
class Backoff {
 public:
  /// No wait: the next attempt runs at once on the same thread.
  Backoff() noexcept = default;

  /// The wait before retry number `retry` (1 is the first). `random` is uniform over all 64-bit values.
  [[nodiscard]] std::chrono::microseconds delay(std::uint32_t retry, std::uint64_t random) const noexcept;
  /// Whether every delay is zero.
  [[nodiscard]] bool immediate() const noexcept { return cap_.count() == 0; }

 private:
  friend Backoff constant(std::chrono::milliseconds, Jitter);
  friend Backoff exponential(std::chrono::milliseconds, std::chrono::milliseconds, Jitter);

  std::chrono::microseconds first_{0};
  std::chrono::microseconds cap_{0};
  bool doubles_ = false;
  Jitter jitter_ = Jitter::None;
};

[[nodiscard]] inline Backoff none() noexcept { return {}; }
/// Always `delay`. Throws Error(InvalidArgument) unless it is positive.
[[nodiscard]] Backoff constant(std::chrono::milliseconds delay, Jitter jitter = Jitter::None);
/// `first`, then twice as long each time, never longer than `cap`. Throws Error(InvalidArgument) unless
/// 0 < first <= cap.
[[nodiscard]] Backoff exponential(std::chrono::milliseconds first, std::chrono::milliseconds cap,
                                  Jitter jitter = Jitter::Full);

/// Tells whether the exception being handled is of a certain type. Made by exception_types().
using ExceptionMatcher = bool (*)();

namespace detail {
template <class Exception>
bool current_exception_is() {
  try {
    throw;
  } catch (const Exception&) {
    return true;
  } catch (...) {
    return false;
  }
}
}  // namespace detail

/// A list of exception types for RetryPolicy::permanent. Types derived from one of them match too.
template <class... Exceptions>
[[nodiscard]] std::vector<ExceptionMatcher> exception_types() {
  return {&detail::current_exception_is<Exceptions>...};
}

/// When a failing delivery is retried. A plain value, fixed when the handler subscribes.
struct RetryPolicy {
  /// Attempts in all, the first included; at least 1.
  std::uint32_t max_attempts = 3;
  Backoff backoff = none();
  /// No attempt begins later than this after the first one began. Positive when set.
  std::optional<std::chrono::milliseconds> give_up_after = std::nullopt;
  /// Exception types that are never retried (reason `permanent`): `exception_types<std::invalid_argument>()`.
  std::vector<ExceptionMatcher> permanent = {};
  /// Decides whether to retry after this exception; if empty, every exception is retried. False counts as
  /// permanent; if the function throws, the exception counts as retriable.
  std::function<bool(const std::exception_ptr&)> retry_if = {};
};

}  // namespace tidings
