#include "dead_letters/none_match.hpp"

#include "text/near_names.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

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

void say_how_to_find_values(Command& command) {
  for (const FieldValue& each : command.line().filter.fields) {
    const std::string name = tools::printable(each.name);
    command.advise("The values of the context field " + name + ": " + command.self() + " groups --by " +
                   tools::printable(tools::shell_word(each.name)));
  }
}

}  // namespace

void say_why_none_match(Command& command) {
  const auto& filter = command.line().filter;
  say_how_to_find_values(command);
  if (!filter.event_type && !filter.handler && !filter.service) return;
  const auto known = command.reader().unresolved_names();
  say_if_unknown(command, "type", filter.event_type, known.event_types);
  say_if_unknown(command, "handler", filter.handler, known.handlers);
  say_if_unknown(command, "service", filter.service, known.services);
}

}  // namespace tidings::dead_letters
