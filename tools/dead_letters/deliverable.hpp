#pragma once

#include "dead_letters/command.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// A handler's name, as it is shown: `(none)` for a letter without a handler. Not yet printable.
[[nodiscard]] std::string handler_name(std::string_view handler);

/// Why no bus would deliver a letter if a redrive were requested now.
enum class Obstacle : std::uint8_t { None, NoHandler, NoPayload, Masked, HeldBack };
[[nodiscard]] Obstacle obstacle_of(Command& command, const deadletter::StoredLetter& stored);
/// Whether there is an unresolved letter among those that match which a retry of all of them delivers.
[[nodiscard]] bool has_deliverable(Command& command, deadletter::Filter filter);

/// How many letters a retry does not change.
struct LeftOut {
  std::int64_t without_handler = 0;
  std::int64_t without_payload = 0;
  std::int64_t held_back = 0;
  [[nodiscard]] std::int64_t all() const noexcept { return without_handler + without_payload + held_back; }
};

/// Excludes from a retry the letters that no bus would deliver: says how many those are, why, and what to do.
[[nodiscard]] LeftOut leave_out_undeliverable(Command& command, deadletter::Filter& filter);

/// The command to type first, so that a parked letter can be delivered after the one that it waits for.
[[nodiscard]] std::string command_for_earlier(Command& command, const deadletter::HeldBackLetter& held_back);

/// Why marked letters wait, if the cause is not a service that does not run, and what to type; else empty.
[[nodiscard]] std::string why_stuck(Command& command, deadletter::Filter filter);

}  // namespace tidings::dead_letters
