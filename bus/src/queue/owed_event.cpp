#include "queue/owed_event.hpp"

namespace tidings::detail {

namespace {

std::string json_of(const std::vector<std::string>& names) {
  std::string json = "[";
  for (const std::string& name : names) {
    if (json.size() > 1) json += ',';
    json += '"' + name + '"';
  }
  return json += ']';
}

}  // namespace

HandlerNames::HandlerNames(std::vector<std::string> all) : names(std::move(all)), json(json_of(names)) {}

JournalDelivery OwedEvent::row_of(std::size_t index) const {
  const Part& part = parts[index];
  return {id,
          handlers->names[index],
          part.done,
          part.attempts_made,
          part.attempts,
          part.failed_at,
          part.next_attempt_at,
          part.crashes};
}

}  // namespace tidings::detail
