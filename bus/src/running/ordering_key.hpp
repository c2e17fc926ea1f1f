#pragma once

#include "running/attempt.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/retirement.hpp"
#include "subscriptions/subscriber.hpp"

#include <optional>
#include <string>

namespace tidings::detail {

/// What the subscription's ordering_key says of an event. The user's function is protected as the handler is:
/// once unsubscribed it does not run, and there is no key. An event that does not fit the handler's type has
/// none either; its delivery finds that out again, and is dead. Throws what the function throws.
[[nodiscard]] std::optional<std::string> ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                                         DispatchGuard& guard, Retirement& retirement);

}  // namespace tidings::detail
