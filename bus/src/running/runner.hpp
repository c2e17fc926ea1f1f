#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "running/attempt.hpp"
#include "running/retry_timer.hpp"
#include "subscriptions/delivery_frame.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/subscriber.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tidings::detail {

/// What follows an attempt.
struct Verdict {
  enum class Next : std::uint8_t { Handled, RetryNow, RetryLater, Dead };

  Next next = Next::Handled;
  std::chrono::microseconds delay{0};  // of RetryLater
  Reason reason = Reason::Exhausted;   // of Dead
};

/// Runs the attempts of a delivery, on whatever thread they happen, and decides after each what follows: an
/// end, or a retry. Thread-safe.
class Runner {
 public:
  /// Runs the redrive of a letter instead.
  using Redeliver = std::function<void(const std::shared_ptr<Subscriber>&, Delivery&, DispatchGuard&)>;

  Runner(const BusParts& bus, DeliveryEnd& end, RetryTimer& retries, Redeliver redeliver)
      : bus_(bus), end_(end), retries_(retries), redeliver_(std::move(redeliver)) {}

  /// Queues a delivery that does not hold its key yet, in the place that is reserved for it.
  DeliveryOutcome enqueue(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);
  /// Hands the subscriber to a worker if its queue needs one. Returns whether the queue took the delivery.
  [[nodiscard]] bool hand_to_worker(const std::shared_ptr<Subscriber>& subscriber,
                                    DeliveryQueue::Pushed pushed);
  /// Works through a subscriber's queue, on a worker that was given a permit.
  void serve(const std::shared_ptr<Subscriber>& subscriber);
  /// A retry's time has come.
  void retry_due(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);
  /// Goes on after the first attempt of an inline handler has failed. `owed` is empty unless the event is
  /// durable.
  DeliveryOutcome inline_failed(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms,
                                DeliveryFrame& frame, OwedDeliveryHandle owed,
                                std::unique_ptr<Failure> failure, Instant began);

  /// Logs and counts a failed attempt, lets the journal know, and decides what follows.
  [[nodiscard]] Verdict after_failure(Subscriber& subscriber, DeliveryFrame& frame, DeliveryState& state,
                                      const Failure& failure, Instant began);
  /// Runs an attempt that may end in a transaction, or be found by the crash slots. `owed` may be null, or
  /// empty.
  [[nodiscard]] std::unique_ptr<Failure> run_recorded(const Subscriber& subscriber, OwedDeliveryHandle* owed,
                                                      PayloadForms& forms, DeliveryFrame& frame);
  /// Logs an attempt whose handler returned, if the log's level or a slow_threshold asks for it, and tells an
  /// observer that follows it.
  /// `measured`: how long it took is counted, whether or not it was slow.
  void attempt_succeeded(const Subscriber& subscriber, DeliveryFrame& frame, Instant began,
                         bool measured = true) noexcept;

  /// What the subscription's ordering_key says of an event. The user's function is protected as the handler
  /// is: once unsubscribed it does not run, and there is no key. An event that does not fit the handler's
  /// type has none either; its delivery finds that out again, and is dead. Throws what the function throws.
  [[nodiscard]] std::optional<std::string> ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                                           DispatchGuard& guard);

 private:
  /// How long the delivery waited for its first attempt.
  void count_wait(const Subscriber& subscriber, const EventContext& context) const noexcept;
  void slow(const Subscriber& subscriber, const EventContext& context,
            std::chrono::microseconds duration) noexcept;
  /// `max_attempts`: of the event, else of the subscriber's policy.
  [[nodiscard]] Verdict decide(const Subscriber& subscriber, std::uint32_t max_attempts,
                               const DeliveryState& state, const Failure& failure, Instant now) const;
  /// Makes the failed attempt known to the journal, before the next one may begin.
  void record_failure(DeliveryState& state, Verdict& verdict, Timestamp failed_at, bool in_doubt);
  /// Whether the journal knows of the attempts so far.
  [[nodiscard]] bool recorded(const Delivery& delivery);
  /// Goes on after a failed attempt for as long as attempts follow at once.
  Verdict run_on(Subscriber& subscriber, PayloadForms& forms, DeliveryFrame& frame, DeliveryState& state,
                 std::unique_ptr<Failure> failure, Instant began);
  void run_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);
  Verdict run_attempts(Subscriber& subscriber, Delivery& delivery, DispatchGuard& guard);
  EventPointer copy_for_retry(const Payload& payload, const Metadata& metadata, DeliveryState& state);
  [[nodiscard]] bool reserve_and_retry_later(const std::shared_ptr<Subscriber>& subscriber,
                                             Delivery& delivery, std::chrono::microseconds delay);

  const BusParts bus_;
  DeliveryEnd& end_;
  RetryTimer& retries_;
  const Redeliver redeliver_;
};

}  // namespace tidings::detail
