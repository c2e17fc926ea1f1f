#pragma once

#include <tidings/event.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::simulation {

/// For `book` (inline), `ship` (queued, keyed), `pack` (keyed, parks), `mail` (a queue of two) and
/// `post` (retried after some milliseconds).
struct Order {
  static constexpr std::string_view event_type = "sim.order";
  std::int64_t number{};
  /// An operator has mended it: every handler works.
  bool mended{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Order, number, mended)
};

/// Durable always: for `desk` (inline), `ledger` (queued), and `bank`, which writes its effect in the
/// transaction of its delivery and publishes a Receipt there.
struct Payment {
  static constexpr std::string_view event_type = "sim.payment";
  std::int64_t number{};
  bool mended{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Payment, number, mended)
};

/// For `file` (in a transaction) and `stamp` (inline).
struct Receipt {
  static constexpr std::string_view event_type = "sim.receipt";
  std::int64_t number{};
  bool mended{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Receipt, number, mended)
};

/// Published as its version 1, `{"n": 7}`, too: for `weigh` (inline) and `load` (a queue of one).
struct Parcel {
  static constexpr std::string_view event_type = "sim.parcel";
  static constexpr int schema_version = 2;
  std::int64_t number{};
  bool mended{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Parcel, number, mended)
};

/// Nobody subscribes: a dead letter.
struct Stray {
  static constexpr std::string_view event_type = "sim.stray";
  std::int64_t number{};
  bool mended{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Stray, number, mended)
};

/// What becomes of an event in one of its handlers.
enum class Fate : std::uint8_t {
  Fine,
  FailsOnce,   ///< Its first attempt fails.
  AsksLater,   ///< Its first attempt asks to be retried after some milliseconds.
  WorksLater,  ///< Every attempt of the policy fails, and a redrive works.
  NeverWorks,  ///< Every attempt fails until it is mended.
  Permanent,   ///< The same, and the first says so.
  Poison,      ///< The attempt kills the process, until the shop is mended.
};

[[nodiscard]] Fate fate_of(std::int64_t number, std::string_view handler);
/// Nothing but an operator who mends the event makes the handler work.
[[nodiscard]] bool never_works(std::int64_t number, std::string_view handler);

/// The handlers of a kind of event (`order`, `payment`, `receipt`, `parcel`, `stray`).
[[nodiscard]] const std::vector<std::string>& handlers_of(const std::string& kind);
/// Those that keep the order of their key, or of all.
[[nodiscard]] bool is_keyed(std::string_view handler);
/// Those that write their effect in the transaction of the delivery.
[[nodiscard]] bool is_transactional(std::string_view handler);
[[nodiscard]] inline std::string key_of(std::int64_t number) { return std::to_string(number % 3); }

}  // namespace tidings::simulation
