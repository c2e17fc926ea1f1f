#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "running/retry_timer.hpp"
#include "running/runner.hpp"
#include "subscriptions/subscriber.hpp"

#include <tidings/journal.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace tidings::detail {

/// Turns rows of the journal back into deliveries, and queues them. On the housekeeper's thread.
class Readmission {
 public:
  Readmission(const BusParts& bus, DeliveryEnd& end, Runner& runner, RetryTimer& retries)
      : bus_(bus), end_(end), runner_(runner), retries_(retries) {}

  /// Queues the deliveries of all rows, or, when it throws, of none.
  void queue(const std::shared_ptr<Subscriber>& subscriber, std::span<OwedDelivery> rows);
  /// The delivery of a row. Returns nullopt if memory has it already, or if it became a letter.
  [[nodiscard]] std::optional<Delivery> take_over(Subscriber& subscriber, OwedDelivery& row);
  /// Queues a delivery that was taken over, or lets it wait for its retry. `known` is of its row.
  void queue(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, const JournalDelivery& known);

  /// How long a retry still has to wait. No longer than it had to when it failed, whatever the wall clock
  /// says.
  [[nodiscard]] std::chrono::microseconds time_to_retry(const JournalDelivery& known) const;
  /// The ordering key of a row. Returns nullopt if it has none, or if it cannot be computed; its delivery
  /// then meets the same problem.
  [[nodiscard]] std::optional<std::string> key_of(Subscriber& subscriber, const OwedDelivery& row);

 private:
  std::optional<Delivery> take_over(Subscriber& subscriber, OwedDelivery& row,
                                    const OwedDeliveryHandle& owed);
  bool find_key_again(Subscriber& subscriber, Delivery& delivery, OwedDelivery& row);

  const BusParts bus_;
  DeliveryEnd& end_;
  Runner& runner_;
  RetryTimer& retries_;
};

}  // namespace tidings::detail
