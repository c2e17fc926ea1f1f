#include "dead_letters/command.hpp"
#include "dead_letters/deliverable.hpp"
#include "dead_letters/letter_view.hpp"
#include "text/columns.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"
#include "text/time.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kMostLetters = 10'000;
/// The tree is not wider than this if the output is not a terminal.
constexpr std::size_t kWidest = 200;

using Owed = std::vector<deadletter::OwedToHandler>;

/// One event of the request: with its letters and what the journal owes of it; or, known only as a cause,
/// without.
struct Event {
  std::vector<const deadletter::StoredLetter*> letters;
  std::vector<const deadletter::OwedToHandler*> owed;
  std::vector<EventId> children;
  std::optional<EventId> cause;
  Timestamp published_at = Timestamp::max();
};

using Events = std::map<EventId, Event>;

Events events_of(const std::vector<deadletter::StoredLetter>& letters, const Owed& owed) {
  Events events;
  for (const auto& stored : letters) {
    const Metadata& metadata = stored.letter.metadata;
    Event& event = events[metadata.event_id];
    event.letters.push_back(&stored);
    event.cause = metadata.causation_id;
    event.published_at = metadata.published_at;
  }
  for (const auto& delivery : owed) {
    Event& event = events[delivery.event_id];
    event.owed.push_back(&delivery);
    event.cause = delivery.causation_id;
    event.published_at = delivery.published_at;
  }
  std::vector<std::pair<EventId, EventId>> caused;
  for (const auto& [id, event] : events) {
    if (event.cause) caused.emplace_back(*event.cause, id);
  }
  for (const auto& [cause, id] : caused) {
    const Timestamp published_at = events.at(id).published_at;
    Event& event = events[cause];
    event.children.push_back(id);
    event.published_at = std::min(event.published_at, published_at);
  }
  return events;
}

std::vector<EventId> in_order_of_publishing(std::vector<EventId> ids, const Events& events) {
  std::stable_sort(ids.begin(), ids.end(), [&](const EventId& left, const EventId& right) {
    return events.at(left).published_at < events.at(right).published_at;
  });
  return ids;
}

std::vector<EventId> roots_of(const Events& events) {
  std::vector<EventId> roots;
  for (const auto& [id, event] : events) {
    if (!event.cause) roots.push_back(id);
  }
  // A circle, which only damaged rows can make, is entered at its first event.
  if (roots.empty() && !events.empty()) roots.push_back(events.begin()->first);
  return in_order_of_publishing(std::move(roots), events);
}

/// Draws and lists the tree. Not recursive: chains may have any length.
class Story {
 public:
  Story(const Command& command, const Events& events, const Terminal& terminal)
      : command_(command), events_(events), terminal_(terminal) {}

  std::string draw() {
    for (const EventId& root : roots_of(events_)) {
      open_.push_back({root, "", "  "});
      draw_open();
    }
    return text_;
  }

 private:
  struct Node {
    EventId id;
    /// The text before its first line, and before all lines below it.
    std::string before;
    std::string below;
  };

  void draw_open() {
    while (!open_.empty()) {
      const Node node = open_.back();
      open_.pop_back();
      if (!seen_.insert(node.id).second) continue;
      draw_event(node);
      push_children(node);
    }
  }

  /// The last first, since the last one pushed is drawn first.
  void push_children(const Node& node) {
    const auto children = in_order_of_publishing(events_.at(node.id).children, events_);
    for (std::size_t i = children.size(); i-- > 0;) {
      const bool last = i + 1 == children.size();
      open_.push_back(
          {children[i], node.below + (last ? "`- " : "|- "), node.below + (last ? "   " : "|  ")});
    }
  }

  /// The text before a line; for deep chains only its end is shown.
  [[nodiscard]] std::string shown(const std::string& before) const {
    const std::size_t most = std::min(terminal_.width, kWidest) / 2;
    return before.size() <= most ? before : ".." + before.substr(before.size() - most + 2);
  }

  /// In as many lines as necessary.
  void add(const std::string& before, const std::string& below, const std::string& text) {
    const std::size_t indent = std::max(shown(before).size(), shown(below).size());
    std::string start = shown(before);
    for (const auto& line : tools::wrap(text, terminal_.width - indent)) {
      text_ += start + line + "\n";
      start = shown(below);
    }
  }

  /// The error on the same line where it fits, else below.
  void add_letter(const std::string& below, const deadletter::StoredLetter& stored) {
    const DeadLetter& letter = stored.letter;
    const std::string what = "* letter " + std::to_string(stored.id) + ", " +
                             tools::printable(handler_name(letter.handler)) + ": " +
                             std::string(state_of(stored));
    const std::string error = tools::printable(cause_text(command_, letter.error_type, letter.error_message));
    const std::string both = what + ": " + error;
    const std::string indented = below + "    ";
    if (shown(below).size() + tools::display_width(both) <= terminal_.width)
      return add(below, indented, both);
    add(below, indented, what);
    add(indented, indented, error);
  }

  void draw_event(const Node& node) {
    const Event& event = events_.at(node.id);
    const std::string indented = node.below + "  ";
    if (event.letters.empty() && !event.owed.empty()) {
      add(node.before, indented,
          tools::printable(event.owed.front()->event_type) + "  " + tools::readable_time(event.published_at) +
              "  event " + node.id.to_string());
      return add_owed(node.below, event);
    }
    if (event.letters.empty()) {
      return add(node.before, indented,
                 "event " + node.id.to_string() + "  (no dead letter: handled, or purged)");
    }
    const DeadLetter& first = event.letters.front()->letter;
    add(node.before, indented,
        tools::printable(first.event_type) + "  " + tools::readable_time(first.metadata.published_at));
    for (const auto* stored : event.letters) add_letter(node.below, *stored);
    add_owed(node.below, event);
  }

  void add_owed(const std::string& below, const Event& event) {
    for (const auto* delivery : event.owed) {
      add(below, below + "    ",
          "* " + tools::printable(handler_name(delivery->handler)) + " of service " +
              tools::printable(delivery->service) + ": still owed by the journal, has no letter");
    }
  }

  const Command& command_;
  const Events& events_;
  const Terminal& terminal_;
  std::vector<Node> open_;
  std::set<EventId> seen_;
  std::string text_;
};

OrderedJson events_to_json(const Command& command, const Events& events) {
  std::vector<EventId> ids;
  for (const auto& [id, event] : events) ids.push_back(id);
  OrderedJson list = OrderedJson::array();
  for (const EventId& id : in_order_of_publishing(std::move(ids), events)) {
    const Event& event = events.at(id);
    OrderedJson letters = OrderedJson::array();
    for (const auto* stored : event.letters) letters.push_back(letter_to_json(command, *stored));
    OrderedJson owed = OrderedJson::array();
    for (const auto* delivery : event.owed)
      owed.push_back({{"service", delivery->service}, {"handler", delivery->handler}});
    list.push_back(
        {{"event_id", id.to_string()},
         {"causation_id", event.cause ? OrderedJson(event.cause->to_string()) : OrderedJson(nullptr)},
         {"letters", std::move(letters)},
         {"owed", std::move(owed)}});
  }
  return list;
}

/// Correlation ids of the request that an id belongs to: that of an event here, as records have it, or its
/// foreign one, which is usually all that the other system knows.
std::set<std::string> requests_of(Command& command, const std::string& id) {
  std::set<std::string> found;
  const auto add_requests = [&](const deadletter::Filter& filter) {
    for (const auto& stored : command.reader().list(filter, kMostLetters).letters)
      found.insert(stored.letter.metadata.correlation_id.to_string());
  };
  add_requests({.foreign_id = id});
  const auto own = EventId::parse(id);
  if (own) add_requests({.event_id = own});
  for (const auto& delivery : command.reader().owed_deliveries(id, kMostLetters))
    found.insert(delivery.correlation_id);
  if (found.empty() && own) {
    for (auto& request : command.reader().requests_caused_by(*own)) found.insert(std::move(request));
  }
  return found;
}

/// The request with that correlation id, else that of the event with that id.
std::string correlation_of(Command& command, const std::string& id) {
  if (CorrelationId::parse(id) && command.reader().count({.correlation_id = id}) > 0) return id;
  const std::set<std::string> found = requests_of(command, id);
  if (found.size() == 1) return *found.begin();
  if (found.empty()) {
    throw Refusal(ExitStatus::NoInput, "no letter and nothing that the journal owes belongs to a request " +
                                           tools::printable(id) +
                                           ", nor to an event that has this id here or in another system: it "
                                           "was handled, or is unknown here, "
                                           "or its letters were purged. The rest of the request of an event "
                                           "that was handled is found by the "
                                           "correlation id of its records");
  }
  throw Refusal(ExitStatus::Usage, "the id " + tools::printable(id) + " is in " +
                                       std::to_string(found.size()) + " requests; see " + command.self() +
                                       " list --all --foreign-id " + tools::printable(tools::shell_word(id)) +
                                       ", and trace one by its correlation id, which show tells");
}

/// An event that was asked for by its id, and has no letter of its own.
void say_of_the_event(Command& command, const Events& events) {
  const auto id = EventId::parse(command.line().trace_id);
  const auto found = id ? events.find(*id) : events.end();
  if (found == events.end() || !found->second.letters.empty()) return;
  command.advise("The event " + id->to_string() + " has no dead letter: " +
                 (found->second.owed.empty()
                      ? "it was handled, or its letter was purged."
                      : "the journal still owes it, so that it runs, or waits to run."));
}

void say_what_next(Command& command, const std::string& correlation,
                   const std::vector<deadletter::StoredLetter>& letters) {
  if (letters.empty()) return command.advise("Nothing of this request has failed so far.");
  const auto open =
      std::find_if(letters.begin(), letters.end(), [](const auto& each) { return !each.resolution; });
  const auto& one = open == letters.end() ? letters.front() : *open;
  command.advise("One letter:         " + command.self() + " show " + std::to_string(one.id));
  if (!has_deliverable(command, {.correlation_id = correlation})) return;
  command.advise("After the fix, all: " + command.self() + " retry --correlation-id " +
                 tools::printable(tools::shell_word(correlation)) + " --wait");
}

}  // namespace

ExitStatus run_trace(Command& command) {
  const std::string correlation = correlation_of(command, command.line().trace_id);
  const auto page = command.reader().list({.correlation_id = correlation}, kMostLetters, {},
                                          deadletter::ListOrder::OldestFirst);
  const Owed owed = command.reader().owed_deliveries(correlation, kMostLetters);
  const auto events = events_of(page.letters, owed);
  if (command.line().json) {
    command.print_json({{"correlation_id", command.masked(correlation)},
                        {"events", events_to_json(command, events)},
                        {"more", page.next.has_value()}});
    return ExitStatus::Ok;
  }
  command.print(Story(command, events, command.streams().out_terminal).draw());
  if (page.next) command.advise("Only the first 10,000 letters are shown.");
  command.advise("");
  say_of_the_event(command, events);
  say_what_next(command, correlation, page.letters);
  return ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
