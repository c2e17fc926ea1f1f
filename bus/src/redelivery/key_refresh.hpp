#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"
#include "subscriptions/subscriber.hpp"

#include <memory>

namespace tidings::detail {

/// Brings the queues' ordering keys in line with the letters that the store has of them.
class KeyRefresh {
 public:
  KeyRefresh(const BusParts& bus, DeliveryEnd& end) : bus_(bus), end_(end) {}

  /// To be called before a subscriber's first delivery: unresolved letters of its keys hold back later
  /// deliveries. Throws Error.
  void hold_keys(Subscriber& subscriber);
  /// Frees dead keys whose letters are all resolved, and lets what waits for redrives go on, or parks it when
  /// no redrive is coming any more. False: to be called again. On the housekeeper's thread.
  [[nodiscard]] bool refresh();

 private:
  [[nodiscard]] bool refresh(const std::shared_ptr<Subscriber>& subscriber);

  const BusParts bus_;
  DeliveryEnd& end_;
};

}  // namespace tidings::detail
