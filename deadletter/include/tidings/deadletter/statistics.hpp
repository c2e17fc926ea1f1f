#pragma once

#include <tidings/clock.hpp>
#include <tidings/minutes.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// Letters with one cause: one fingerprint, handler and service, of any event type.
struct Group {
  std::string fingerprint;
  /// That of the newest letter of the group.
  std::string event_type;
  /// How many event types the letters have.
  std::int64_t event_types = 1;
  std::string handler;
  std::string service;
  /// Those of the newest letter of the group.
  std::string error_type = {};
  std::string sample_error = {};
  std::int64_t newest_id = 0;
  std::int64_t count = 0;
  Timestamp first_failed_at{};
  Timestamp last_failed_at{};
};

/// Letters whose events have the same value of a context field.
struct FieldGroup {
  /// As text, spelled as JSON spells it (`42`, `true`): a number and the text of its digits are one. Nullopt:
  /// they have no such field.
  std::optional<std::string> value;
  std::int64_t count = 0;
  Timestamp first_failed_at{};
  Timestamp last_failed_at{};
};

enum class GroupOrder : std::uint8_t { ByCount, ByLastFailure };

/// Names that unresolved letters have, in their order.
struct UnresolvedNames {
  std::vector<std::string> event_types;
  std::vector<std::string> handlers;
  std::vector<std::string> services;
};

/// How many letters there are of each kind, most first.
struct Statistics {
  struct Count {
    std::string name;
    std::int64_t letters = 0;
    std::int64_t unresolved = 0;
  };
  struct Day {
    /// Midnight, UTC.
    Timestamp begin;
    std::int64_t letters = 0;
    std::int64_t unresolved = 0;
  };
  std::int64_t letters = 0;
  std::int64_t unresolved = 0;
  std::vector<Count> by_type;
  std::vector<Count> by_handler;
  std::vector<Count> by_service;
  std::vector<Count> by_reason;
  /// By failed_at, oldest first; days without letters are left out.
  std::vector<Day> by_day;
};

/// Whose counters, and of which minutes; a member that is not set does not restrict.
struct RateFilter {
  std::optional<std::string> service = {};
  std::optional<std::string> event_type = {};
  std::optional<std::string> handler = {};
  /// From, inclusive, and up to, exclusive; a minute counts if a part of it is in between.
  std::optional<Timestamp> since = {};
  std::optional<Timestamp> until = {};
};

/// What was counted of an event type and one handler in some minutes.
struct DeliveryRate {
  std::string service;
  std::string event_type;
  /// Empty: of the type, whatever its handlers: how many events were published.
  std::string handler;
  DeliveryCounts counts;
};

struct DeliveryRates {
  /// By service, event type and handler, in this order.
  std::vector<DeliveryRate> rates;
  /// The begin of the first minute, and the end of the last, in which anything was counted; nullopt: nothing
  /// was.
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;
};

}  // namespace tidings::deadletter
