#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "running/runner.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/redrive.hpp>

#include <memory>
#include <vector>

namespace tidings::detail {

/// Takes claimed letters to their handlers' queues, and runs them there. Thread-safe.
class Redelivery {
 public:
  Redelivery(const BusParts& bus, DeliveryEnd& end, Runner& runner) : bus_(bus), end_(end), runner_(runner) {}

  /// The handlers that may be given letters now.
  [[nodiscard]] std::vector<ServedHandler> served_handlers() const;
  /// Queues a claimed letter, or returns it to the redriver undelivered.
  void deliver(ClaimedLetter letter);
  /// Runs a queued letter and ends its redrive.
  void run(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);

 private:
  [[nodiscard]] std::shared_ptr<Subscriber> subscriber_for(const DeadLetter& letter) const;
  [[nodiscard]] bool attempt(Subscriber& subscriber, Delivery& delivery, RedriveResult& result);

  const BusParts bus_;
  DeliveryEnd& end_;
  Runner& runner_;
};

}  // namespace tidings::detail
