#pragma once

#include "queue/owed_event.hpp"

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Lets deliveries that may have killed the process run one at a time.
class SuspectTurns {
 public:
  /// The delivery that ran has ended, or waits for a retry.
  virtual void end_turn() noexcept = 0;

 protected:
  ~SuspectTurns() = default;
};
struct EndSuspectTurn {
  void operator()(SuspectTurns* turns) const noexcept { turns->end_turn(); }
};
/// Held by the delivery that runs before all others because it, or one behind it, may have killed the
/// process: until it has ended, or waits for a retry, no other durable delivery runs.
using SuspectTurn = std::unique_ptr<SuspectTurns, EndSuspectTurn>;

/// What a delivery remembers of its past. Made for a delivery that is durable, has an ordering key, is a
/// redrive, or has failed once.
struct DeliveryState {
  std::uint32_t attempts_made = 0;
  Instant first_attempt{};
  std::vector<Attempt> attempts;
  /// Whether this process made the last of them; others are read from the journal.
  bool attempted_here = false;
  std::optional<std::string> ordering_key;
  /// Its share of a journalled event; empty for an event that is in memory only.
  OwedDeliveryHandle owed;
  /// Ticket of the commit that records the last failed attempt; 0: none.
  std::uint64_t failure_ticket = 0;
  /// Set when no attempt is to follow: the reason of its letter.
  std::optional<Reason> dead_of = {};
  SuspectTurn suspect;
  /// Set for the redrive of a letter, which takes the place of the event.
  std::unique_ptr<ClaimedLetter> redrive;
};

/// One event on its way to one handler, when not handled inline at the first attempt.
struct Delivery {
  EventPointer event;
  std::unique_ptr<DeliveryState> state;

  DeliveryState& remember() {
    if (!state) state = patiently([] { return std::make_unique<DeliveryState>(); });
    return *state;
  }
  [[nodiscard]] ClaimedLetter* redrive() const noexcept { return state ? state->redrive.get() : nullptr; }
  /// Whether it is to become a letter without another attempt.
  [[nodiscard]] bool gave_up() const noexcept { return state && state->dead_of; }
  [[nodiscard]] const std::string* ordering_key() const noexcept {
    return state && state->ordering_key ? &*state->ordering_key : nullptr;
  }
};

}  // namespace tidings::detail
