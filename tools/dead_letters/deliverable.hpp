#pragma once

#include "dead_letters/command.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// A handler's name, as it is shown: `(none)` of a letter that no handler gave up. Not yet printable.
[[nodiscard]] std::string handler_name(std::string_view handler);

/// Why no bus would deliver a letter, if it were asked to now.
enum class Obstacle : std::uint8_t { None, NoHandler, NoPayload, HeldBack };
[[nodiscard]] Obstacle obstacle_of(Command& command, const deadletter::StoredLetter& stored);
/// Whether there is an unresolved letter among those that match which a retry of all of them delivers.
[[nodiscard]] bool has_deliverable(Command& command, deadletter::Filter filter);

/// How many letters a retry leaves as they are.
struct LeftOut {
  std::int64_t without_handler = 0;
  std::int64_t without_payload = 0;
  std::int64_t held_back = 0;
  [[nodiscard]] std::int64_t all() const noexcept { return without_handler + without_payload + held_back; }
};

/// Leaves out of a retry what no bus would deliver: says how many letters that are, why, and what to do.
[[nodiscard]] LeftOut leave_out_undeliverable(Command& command, deadletter::Filter& filter);

/// What to type first, so that a parked letter can be delivered after the one that it waits for.
[[nodiscard]] std::string command_for_earlier(Command& command, const deadletter::HeldBackLetter& held_back);

/// Why letters that are marked wait, where something else is the cause than a service that does not run, and
/// what to type; else empty.
[[nodiscard]] std::string why_stuck(Command& command, deadletter::Filter filter);

}  // namespace tidings::dead_letters
