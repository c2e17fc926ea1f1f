#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

/// What a delivery remembers of its past. Made when there is something to remember: a first attempt that
/// fails, or an ordering key.
struct DeliveryState {
  std::uint32_t attempts_made = 0;
  Instant first_attempt{};
  std::vector<Attempt> attempts;
  std::optional<std::string> ordering_key;
  /// Set for the redrive of a letter, which takes the place of the event.
  std::unique_ptr<ClaimedLetter> redrive;
};

/// One event on its way to one handler, when not handled inline at the first attempt.
struct Delivery {
  EventPointer event;
  std::unique_ptr<DeliveryState> state;

  DeliveryState& remember() {
    if (!state) state = std::make_unique<DeliveryState>();
    return *state;
  }
  [[nodiscard]] ClaimedLetter* redrive() const noexcept { return state ? state->redrive.get() : nullptr; }
  [[nodiscard]] const std::string* ordering_key() const noexcept {
    return state && state->ordering_key ? &*state->ordering_key : nullptr;
  }
};

}  // namespace tidings::detail
