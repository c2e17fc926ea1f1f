#pragma once

#include "attempt.hpp"
#include "bus_log.hpp"
#include "delivery_frame.hpp"
#include "dispatch_guard.hpp"
#include "housekeeper.hpp"
#include "letter_writer.hpp"
#include "subscriber.hpp"
#include "topics.hpp"
#include "worker_pool.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace tidings::detail {

/// Whether `source` may be an event's: a URI-reference of at most 1024 characters.
[[nodiscard]] bool is_valid_source(std::string_view source) noexcept;

/// What Bus hides: the state shared by publishers, workers, the timer and Subscriptions that outlive the bus.
///
/// Three files: bus_core.cpp (publish, and what happens inline), delivery_run.cpp (attempts, retries, burial,
/// on whatever thread), lifecycle.cpp (subscribe, unsubscribe, stop, idle).
class BusCore : public std::enable_shared_from_this<BusCore> {
 public:
  explicit BusCore(BusOptions options);
  ~BusCore();
  BusCore(const BusCore&) = delete;
  BusCore& operator=(const BusCore&) = delete;

  void start();
  PublishResult publish(const Payload& payload, std::size_t slot, const PublishOptions& options) {
    return dispatch(payload, topics_.find(slot), options);
  }
  PublishResult publish_named(const Payload& payload, const PublishOptions& options);
  std::shared_ptr<Subscriber> subscribe(SubscriberSpec spec);
  void unsubscribe(const std::shared_ptr<Subscriber>& subscriber) noexcept;
  StopReport stop(std::chrono::milliseconds deadline);
  /// What the destructor of Bus does: stops, and waits for as long as it takes.
  void shut_down() noexcept;
  bool wait_idle(std::chrono::milliseconds timeout);
  Snapshot snapshot() const;
  [[nodiscard]] std::chrono::milliseconds stop_deadline() const noexcept { return options_.stop_deadline; }

  /// Throws Error(ForkedChild) in a child of the process that made the bus.
  void require_own_process() const {
    if (forked()) [[unlikely]]
      throw_forked();
  }
  [[nodiscard]] bool forked() const noexcept { return fork_generation() != process_generation_; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  /// What a publish has prepared for its queued subscribers before the first handler runs.
  struct QueuedPart {
    EventPointer event;
    std::vector<std::optional<std::string>> ordering_keys;  // one for each queued subscriber, or none at all
  };

  // bus_core.cpp
  [[noreturn]] static void throw_forked();
  PublishResult dispatch(const Payload& payload, const Topic& topic, const PublishOptions& options);
  [[nodiscard]] Metadata stamp(const PublishOptions& options) const;
  void nobody_subscribes(const Payload& payload, const Metadata& metadata, PublishResult& result);
  bool first_warning(std::string_view event_type);
  void cut_loop(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                PublishResult& result);
  void deliver_all_inline(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                          DispatchGuard& guard, PublishResult& result);
  void deliver_with_queues(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                           DispatchGuard& guard, PublishResult& result);
  QueuedPart prepare_queued(const SubscriberList& list, PayloadForms& forms, const Metadata& metadata,
                            DispatchGuard& guard);
  std::optional<std::string> ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                             DispatchGuard& guard);
  void reserve_places(const SubscriberList& list);
  static Subscriber* try_reserve_places(const SubscriberList& list);
  void wait_or_refuse(Subscriber& full);
  void enqueue(const std::shared_ptr<Subscriber>& subscriber, EventPointer event,
               std::optional<std::string> key, PublishResult& result);
  void deliver_inline(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms,
                      DeliveryFrame& frame, DispatchGuard& guard, bool debug, PublishResult& result);
  void inline_refused(const std::shared_ptr<Subscriber>& subscriber, const PayloadForms& forms,
                      const DeliveryFrame& frame, PublishResult& result);
  void inline_failed(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms, DeliveryFrame& frame,
                     std::unique_ptr<Failure> failure, Instant began, PublishResult& result);
  static EventPointer copy_for_retry(const Payload& payload, const Metadata& metadata, DeliveryState& state);
  [[nodiscard]] bool reserve_and_retry_later(const std::shared_ptr<Subscriber>& subscriber,
                                             Delivery& delivery, std::chrono::microseconds delay);
  void not_delivered(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                     const Metadata& metadata, const DeliveryState* state, PublishResult& result);

  // delivery_run.cpp
  enum class End : std::uint8_t { Handled, RetryNow, RetryLater, Dead };
  struct Verdict {
    End end = End::Handled;
    std::chrono::microseconds delay{0};
    Reason reason = Reason::Exhausted;
  };
  Verdict judge(Subscriber& subscriber, const EventContext& context, DeliveryState& state,
                const Failure& failure, Instant began);
  Verdict decide(const Subscriber& subscriber, const DeliveryState& state, const Failure& failure,
                 Instant now) const;
  /// Goes on after a failed attempt for as long as attempts follow at once.
  Verdict run_on(Subscriber& subscriber, PayloadForms& forms, DeliveryFrame& frame, DeliveryState& state,
                 std::unique_ptr<Failure> failure, Instant began);
  void attempt_succeeded(const Subscriber& subscriber, const EventContext& context, Instant began) noexcept;
  DeadLetter make_letter(const HandlerIdentity& identity, const Payload& payload, const Metadata& metadata,
                         Reason reason, const DeliveryState* state) const;
  /// Logs it, and counts what a stop settles.
  void gave_up(const DeadLetter& letter);
  /// Hands the letter over, waiting for its commit. False: the database is busy, and the letter waits for it.
  bool bury(DeadLetter letter);
  void bury_soon(const Subscriber& subscriber, const Delivery& delivery, Reason reason);
  /// False: the subscriber is closing.
  [[nodiscard]] bool retry_later(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                                 std::chrono::microseconds delay);
  void retry_is_due(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);
  void serve(const std::shared_ptr<Subscriber>& subscriber);
  void run_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);
  Verdict run_attempts(Subscriber& subscriber, Delivery& delivery, DispatchGuard& guard);
  /// The end of a delivery's life in its queue.
  void end_delivery(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                    std::optional<Reason> dead_of);
  std::optional<Instant> do_duties(Instant now);

  // lifecycle.cpp
  void leave(DispatchGuard& guard, Subscriber& subscriber);
  void left_closed(Subscriber& subscriber) noexcept;
  bool free_if_idle(Subscriber& subscriber) noexcept;
  bool is_freed_here(const Subscriber& subscriber) noexcept;
  void wait_until_freed(Subscriber& subscriber, std::optional<SteadyTime> deadline) noexcept;
  void close(const std::shared_ptr<Subscriber>& subscriber);
  void begin_draining(const std::shared_ptr<Subscriber>& subscriber);
  void drain(Subscriber& subscriber, SteadyTime deadline);
  void wait_for_publishers(SteadyTime deadline) const;
  [[nodiscard]] bool publisher_inside() const;
  std::vector<std::string> running_handlers() const;
  StopReport stop_now(std::chrono::milliseconds deadline);

  const BusOptions options_;
  const std::string source_;
  const std::uint64_t process_generation_;
  // The targets of the options' pointers, read on every publish.
  Clock& clock_;
  IdSource& ids_;

  std::atomic<bool> accepting_{true};
  std::atomic<std::size_t> waiting_retries_{0};
  /// Letters with reason `shutdown` since the bus stopped accepting.
  std::atomic<std::size_t> settled_{0};
  Topics topics_;
  BusLog log_;
  LetterWriter letters_;

  mutable Mutex mutex_;
  Condition changed_;  // a closed subscriber's handler has returned, or its captures have been freed
  std::unordered_set<std::string> warned_types_ TIDINGS_GUARDED_BY(mutex_);
  Mutex stop_mutex_;  // one stop at a time
  bool stopped_ TIDINGS_GUARDED_BY(stop_mutex_) = false;

  // Last, so that the threads end before what they use.
  Housekeeper housekeeper_;
  WorkerPool pool_;
};

}  // namespace tidings::detail
