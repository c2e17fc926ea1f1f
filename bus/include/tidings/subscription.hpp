#pragma once

#include <memory>

namespace tidings {

namespace detail {
class Subscriber;
}

/// Owns the subscription of one handler to a bus. Move-only; may outlive its bus. Destroying it unsubscribes
/// as reset() does. One Subscription may not be used by two threads at once.
class [[nodiscard]] Subscription {
 public:
  Subscription() noexcept = default;
  explicit Subscription(std::shared_ptr<detail::Subscriber> subscriber) noexcept;
  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  /// Stops new deliveries, runs what is queued for up to the bus's stop deadline, turns the rest into dead
  /// letters with reason `shutdown`, and returns when no thread is running the handler. Afterwards it never
  /// runs again and its captures are freed. A wait of over 5 s is logged as `waiting_for_handler`.
  ///
  /// Called from inside any handler it does not wait: no new run begins, what is queued becomes letters, and
  /// the last thread that leaves the handler frees the captures.
  ///
  /// Deadlock: do not hold a lock that the handler takes.
  void reset() noexcept;

  /// Ties the handler to the bus instead: it stays subscribed until the bus stops.
  void keep() && noexcept;
  void keep() & noexcept;

  /// Whether this object still owns a subscription.
  [[nodiscard]] explicit operator bool() const noexcept { return subscriber_ != nullptr; }

 private:
  std::shared_ptr<detail::Subscriber> subscriber_;
};

}  // namespace tidings
