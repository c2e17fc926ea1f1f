#include "running/ordering_key.hpp"

namespace tidings::detail {

std::optional<std::string> ordering_key_of(Subscriber& subscriber, PayloadForms& forms, DispatchGuard& guard,
                                           Retirement& retirement) {
  if (!guard.enter(subscriber)) {
    retirement.free_if_idle(subscriber);
    return std::nullopt;
  }
  try {
    std::optional<std::string> key;
    if (const void* const event = forms.try_as(subscriber.payload_type))
      key = subscriber.user.ordering_key(event);
    retirement.leave(guard, subscriber);
    return key;
  } catch (...) {
    retirement.leave(guard, subscriber);
    throw;
  }
}

}  // namespace tidings::detail
