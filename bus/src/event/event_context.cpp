#include <tidings/event_context.hpp>

namespace tidings {

std::string EventContext::idempotency_key() const {
  std::string key = metadata_.event_id.to_string();
  key += '/';
  key += handler();
  return key;
}

}  // namespace tidings
