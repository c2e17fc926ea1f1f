#pragma once

#include "subscriptions/subscriber.hpp"

#include <tidings/redrive.hpp>

namespace tidings::detail {

/// The subscriber as the store of letters knows it.
[[nodiscard]] inline ServedHandler served(const Subscriber& subscriber) {
  return {subscriber.identity.event_type, subscriber.identity.handler,
          subscriber.options.after_death == AfterDeath::Park};
}

}  // namespace tidings::detail
