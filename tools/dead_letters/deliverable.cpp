#include "dead_letters/deliverable.hpp"

#include "dead_letters/long_change.hpp"
#include "text/printable.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace tidings::dead_letters {
namespace {

using deadletter::Filter;
using deadletter::HeldBackLetter;
using deadletter::StoredLetter;

std::optional<StoredLetter> newest_of(Command& command, const Filter& filter) {
  auto page = command.reader().list(filter, 1);
  if (page.letters.empty()) return std::nullopt;
  return std::move(page.letters.front());
}

std::string as_they_are(std::int64_t letters) {
  return letters == 1 ? "it stays as it is" : "they stay as they are";
}

std::string behind(const HeldBackLetter& held_back) {
  return "letter " + std::to_string(held_back.id) + " waits for letter " + std::to_string(held_back.behind);
}

std::int64_t leave_out_without_handler(Command& command, Filter& filter) {
  filter.has_handler = true;
  if (filter.handler) return 0;
  Filter without = filter;
  without.has_handler.reset();
  without.handler = "";  // by its index
  const auto newest = newest_of(command, without);
  if (!newest) return 0;
  const auto letters = std::max(count_of(command, without), std::int64_t{1});
  const std::string id = std::to_string(newest->id);
  command.warn(counted(letters, "letter") +
               " cannot be delivered again, as no handler was subscribed to the event; " +
               as_they_are(letters) + ". Letter " + id + ": " + tools::printable(newest->letter.event_type));
  command.advise("Subscribe a handler and publish the event again; and give the letter up: " +
                 command.self() + " discard " + id + " --reason '...'");
  return letters;
}

std::int64_t leave_out_without_payload(Command& command, Filter& filter) {
  Filter without = filter;
  without.has_payload = false;
  filter.has_payload = true;
  const auto newest = newest_of(command, without);
  if (!newest) return 0;
  const auto letters = std::max(count_of(command, without), std::int64_t{1});
  const std::string id = std::to_string(newest->id);
  const bool masked = newest->letter.data.encoding == DataEncoding::Masked;
  command.warn(counted(letters, "letter") + " cannot be delivered again, as the payload was not kept" +
               (masked ? " whole; " : "; ") + as_they_are(letters) + ". Letter " + id + ": " +
               tools::printable(command.masked(newest->letter.data.problem)));
  const std::string discard = command.self() + " discard " + id + " --reason '...'";
  if (masked) {
    command.advise("Give one up: " + discard);
    return letters;
  }
  command.advise("Give one a payload: " + command.self() + " edit " + id + " --file FILE");
  command.advise("Or give it up:      " + discard);
  return letters;
}

std::int64_t leave_out_held_back(Command& command, Filter& filter) {
  Filter held_back = filter;
  held_back.held_back = true;
  held_back.asked_for = std::make_shared<const Filter>(filter);
  filter.held_back = false;
  filter.asked_for = held_back.asked_for;
  if (filter.reason && filter.reason != Reason::Parked) return 0;
  const auto one = command.reader().find_held_back(held_back);
  if (!one) return 0;
  const auto letters = std::max(count_of(command, held_back), std::int64_t{1});
  command.warn(counted(letters, "letter") + (letters == 1 ? " is" : " are") +
               " parked behind an earlier letter of the ordering key, which goes first; " +
               as_they_are(letters) + ": " + behind(*one));
  command.advise("What goes first: " + command_for_earlier(command, *one));
  return letters;
}

}  // namespace

std::string handler_name(std::string_view handler) {
  return std::string(handler.empty() ? std::string_view("(none)") : handler);
}

Obstacle obstacle_of(Command& command, const StoredLetter& stored) {
  if (stored.letter.handler.empty()) return Obstacle::NoHandler;
  if (stored.letter.data.encoding == DataEncoding::None) return Obstacle::NoPayload;
  if (stored.letter.data.encoding == DataEncoding::Masked) return Obstacle::Masked;
  const bool held_back =
      stored.letter.reason == Reason::Parked && command.reader().find_held_back({.ids = {{stored.id}}});
  return held_back ? Obstacle::HeldBack : Obstacle::None;
}

bool has_deliverable(Command& command, Filter filter) {
  filter.resolved = false;
  filter.has_handler = true;
  filter.has_payload = true;
  filter.asked_for = std::make_shared<const Filter>(filter);
  filter.held_back = false;
  const auto page = command.reader().list(filter, 1, {}, deadletter::ListOrder::NewestFirst,
                                          deadletter::LetterParts::Summary);
  return !page.letters.empty();
}

LeftOut leave_out_undeliverable(Command& command, Filter& filter) {
  LeftOut left_out;
  left_out.without_handler = leave_out_without_handler(command, filter);
  left_out.without_payload = leave_out_without_payload(command, filter);
  left_out.held_back = leave_out_held_back(command, filter);
  return left_out;
}

std::string command_for_earlier(Command& command, const HeldBackLetter& held_back) {
  const auto earlier = command.reader().find(held_back.behind);
  std::string text = command.self();
  if (!earlier) return text += " show " + std::to_string(held_back.id);
  const DeadLetter& letter = earlier->letter;
  if (letter.reason != Reason::Parked)
    return text += " retry " + std::to_string(held_back.behind) + " --wait";
  return text += " retry --type " + tools::printable(letter.event_type) + " --handler " +
                 tools::printable(letter.handler) + " --service " + tools::printable(letter.service) +
                 " --wait";
}

std::string why_stuck(Command& command, Filter filter) {
  filter.resolved = false;
  filter.marked = true;
  filter.held_back.reset();
  filter.asked_for.reset();
  filter.has_handler = false;
  const auto unhandled = newest_of(command, filter);
  if (unhandled) {
    const std::string id = std::to_string(unhandled->id);
    return "letter " + id + " has no handler, so that nothing delivers it; give it up: " + command.self() +
           " discard " + id + " --reason '...'";
  }
  filter.has_handler.reset();
  const auto held_back = command.reader().find_held_back(filter);
  if (!held_back) return "";
  return behind(*held_back) +
         ", an earlier one of its ordering key: " + command_for_earlier(command, *held_back);
}

}  // namespace tidings::dead_letters
