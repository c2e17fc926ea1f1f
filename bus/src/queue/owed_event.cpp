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

}  // namespace tidings::detail
