#include "dead_letters/unknown_names.hpp"

#include "text/near_names.hpp"
#include "text/printable.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace tidings::dead_letters {
namespace {

void say_if_unknown(Command& command, const char* what, const std::optional<std::string>& name,
                    const std::vector<std::string>& known) {
  if (!name || std::find(known.begin(), known.end(), *name) != known.end()) return;
  std::string text = std::string("No unresolved letter has the ") + what + " " + tools::printable(*name);
  const auto near = tools::near_names(*name, known);
  for (std::size_t i = 0; i < near.size(); ++i)
    text += (i == 0 ? "; near it: " : ", ") + tools::printable(near[i]);
  command.advise(text + (near.empty() ? "." : ""));
}

}  // namespace

void say_unknown_names(Command& command) {
  const auto& filter = command.line().filter;
  if (!filter.event_type && !filter.handler && !filter.service) return;
  const auto known = command.reader().unresolved_names();
  say_if_unknown(command, "type", filter.event_type, known.event_types);
  say_if_unknown(command, "handler", filter.handler, known.handlers);
  say_if_unknown(command, "service", filter.service, known.services);
}

}  // namespace tidings::dead_letters
