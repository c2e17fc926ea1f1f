#include "publishing/unhandled.hpp"

#include <tidings/detail/patiently.hpp>

#include <cstddef>

namespace tidings::detail {
namespace {

/// For how many types the warning is remembered: type names may come from outside, so their number is
/// bounded.
constexpr std::size_t kMaxWarnedTypes = 1000;

}  // namespace

HandlerIdentity UnhandledEvents::nobody(std::string_view event_type) const {
  return {.handler = "",
          .service = bus_.setup.options.service,
          .event_type = std::string(event_type),
          .max_attempts = 0};
}

DeliveryOutcome UnhandledEvents::settle(const Payload& payload, const Metadata& metadata) {
  if (bus_.setup.options.unhandled == Unhandled::Warn && first_warning(payload.event_type))
    bus_.log.unhandled(payload, metadata);
  if (!are_letters()) return DeliveryOutcome::Dropped;
  const auto identity = patiently([&] { return nobody(payload.event_type); });
  return end_.bury(end_.letter_of(identity, payload, metadata, Reason::Unhandled, nullptr));
}

bool UnhandledEvents::first_warning(std::string_view event_type) {
  const MutexLock lock(mutex_);
  if (warned_types_.size() >= kMaxWarnedTypes) return false;
  return patiently([&] {
    mutex_.assert_held();
    return warned_types_.insert(std::string(event_type)).second;
  });
}

}  // namespace tidings::detail
