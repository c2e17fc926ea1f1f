#pragma once

#include "ending/bus_parts.hpp"
#include "recovery/readmission.hpp"
#include "subscriptions/subscriber.hpp"

#include <cstdint>
#include <memory>

namespace tidings::detail {

/// Reads back what the journal holds and memory does not: deliveries that a restart left owed, and those that
/// found a queue full. All but begin() and end() is for the housekeeper's thread.
class BacklogReader {
 public:
  BacklogReader(const BusParts& bus, Readmission& readmission) : bus_(bus), readmission_(readmission) {}

  /// Everything that is owed to a new subscriber comes from the journal, ahead of what is published from now
  /// on. Thread-safe.
  void begin(Subscriber& subscriber);
  /// Nothing more is read for the subscriber. Thread-safe.
  void end(Subscriber& subscriber);

  /// Reads for every queue that has room, if that was requested.
  void refill();

 private:
  bool refill(const std::shared_ptr<Subscriber>& subscriber);
  bool advance(Subscriber& subscriber, std::int64_t next, bool caught_up);

  const BusParts bus_;
  Readmission& readmission_;
};

}  // namespace tidings::detail
