#include <tidings/event_context.hpp>

#include <utility>

namespace tidings {

void EventContext::bind(std::initializer_list<ContextField> fields) const {
  ContextFields extended = bound().with(fields);
  if (bound_ == nullptr) bound_ = new detail::BoundFields;
  *bound_ = {&identity_->handler, attempt_, std::move(extended)};
}

ContextFields EventContext::bound() const { return has_bound() ? bound_->fields : ContextFields(); }

void EventContext::forget_bound() noexcept { delete bound_; }

std::string EventContext::idempotency_key() const {
  std::string key = metadata_.event_id.to_string();
  key += '/';
  key += handler();
  return key;
}

}  // namespace tidings
