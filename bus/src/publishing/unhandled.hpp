#pragma once

#include "ending/bus_parts.hpp"
#include "ending/delivery_end.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/mutex.hpp>

#include <string>
#include <string_view>
#include <unordered_set>

namespace tidings::detail {

/// Does with an event that nobody subscribes to what BusOptions::unhandled says. Thread-safe.
class UnhandledEvents {
 public:
  UnhandledEvents(const BusParts& bus, DeliveryEnd& end) : bus_(bus), end_(end) {}

  [[nodiscard]] DeliveryOutcome settle(const Payload& payload, const Metadata& metadata);
  /// Whether their letters are to be stored.
  [[nodiscard]] bool are_letters() const noexcept {
    return bus_.setup.options.unhandled == Unhandled::DeadLetter;
  }
  /// The handler that such a letter names.
  [[nodiscard]] HandlerIdentity nobody(std::string_view event_type) const;

 private:
  bool first_warning(std::string_view event_type) TIDINGS_EXCLUDES(mutex_);

  const BusParts bus_;
  DeliveryEnd& end_;
  Mutex mutex_;
  std::unordered_set<std::string> warned_types_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::detail
