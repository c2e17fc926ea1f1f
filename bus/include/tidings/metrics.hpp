#pragma once

#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/minutes.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

/// What a series stands for that belongs to no subscription of its own. A subscription of that name shares
/// it.
inline constexpr std::string_view kOtherSeries = "other";

/// Measured durations: how many there are of each class of kDurationBounds, and their sum.
struct DurationHistogram {
  DurationCounts counts{};
  std::chrono::microseconds sum{0};

  [[nodiscard]] std::uint64_t count() const noexcept;
  DurationHistogram& operator+=(const DurationHistogram& other) noexcept;
  [[nodiscard]] bool operator==(const DurationHistogram&) const = default;
};

/// The events of one type.
struct TypeMetrics {
  std::string event_type;
  /// Accepted. A repeat (PublishResult::duplicate) is not.
  std::uint64_t published = 0;
  /// Letters of events that nobody subscribed to.
  std::uint64_t dead = 0;
};

/// The deliveries to one handler. Counters first, which never fall; then the load at this moment.
struct HandlerMetrics {
  /// "*": a handler of all events.
  std::string event_type;
  std::string handler;
  /// Deliveries whose handler returned, redrives among them. One that an inline handler is still at counts
  /// already; if it fails then, the next that is handled does not count.
  std::uint64_t handled = 0;
  /// Attempts that failed.
  std::uint64_t failed = 0;
  /// Of those, the ones that another attempt is to follow.
  std::uint64_t retried = 0;
  /// Deliveries that gave up: each has a dead letter.
  std::uint64_t dead = 0;
  /// Attempts that took longer than the handler's slow_threshold.
  std::uint64_t slow = 0;
  /// How long attempts took that returned: all of queued and durable deliveries and of handlers with a
  /// slow_threshold, else those of one publish in 64 of each thread.
  DurationHistogram durations = {};
  /// How long deliveries waited for their first attempt on a worker, from their publish on. Those that wait
  /// in the journal meanwhile are among them, through a restart, too.
  DurationHistogram queue_waits = {};

  std::size_t queued = 0;
  std::size_t waiting = 0;  ///< For a delayed retry, or behind one of the same ordering key.
  std::size_t running = 0;
  /// Of what the journal owes the handler; as in HandlerSnapshot::owed.
  std::uint64_t owed = 0;
  /// When the oldest of it was published. Not set: nothing is owed.
  std::optional<Timestamp> oldest_owed = std::nullopt;
};

/// Dead letters of this bus. All but `pending` and `unresolved` are counters.
struct LetterMetrics {
  /// Deliveries that gave up, by Reason.
  std::array<std::uint64_t, kReasons.size()> by_reason{};
  /// Letters that the database did not take and a spill file did.
  std::uint64_t spilled = 0;
  /// Letters that neither took: they are on standard error.
  std::uint64_t unsaved = 0;
  /// Given up, not yet committed: see Snapshot::letters_pending.
  std::size_t pending = 0;
  /// What the store has of the bus's service and nobody has resolved, also of earlier processes and of other
  /// buses of that service. Not set: the store does not know, or is busy.
  std::optional<UnresolvedLetters> unresolved = std::nullopt;
  /// Redrives whose handler returned, and failed.
  std::uint64_t redriven = 0;
  std::uint64_t redrives_failed = 0;

  [[nodiscard]] std::uint64_t of(Reason reason) const noexcept {
    return by_reason[static_cast<std::size_t>(reason)];
  }
};

/// What the journal owes.
struct JournalMetrics {
  /// To handlers that this bus does not have; as in Snapshot::owed_to_nobody.
  std::uint64_t owed_to_nobody = 0;
  /// Why the journal cannot be read. Then all that is owed is unknown, and 0 here. Empty if it can be read.
  std::string problem = {};
};

/// What one bus has counted since it was made, and its load at one moment: plain numbers, from the same facts
/// as the counters of each minute (<tidings/minutes.hpp>), dead letters and Bus::snapshot().
/// <tidings/telemetry/metrics_text.hpp> writes them for Prometheus.
///
/// The number of series is bounded. A type and a handler that the program subscribes have series of their own
/// from then on, which begin at 0 and stay when the subscription is gone; up to 1,000 types and 1,000
/// handlers of one bus. All others are counted together, as kOtherSeries: types that are published without a
/// subscription, and letters that are made by hand for a handler that is not subscribed here.
struct Metrics {
  std::string service;
  /// When the bus was made: what is counted is counted since then. And when this was read.
  Timestamp began_at{};
  Timestamp read_at{};
  /// Whether deliveries are counted: with BusTelemetry::metrics, or a store that keeps minutes. Otherwise
  /// `types` is empty, and `handlers` has the current subscriptions with their load alone: their counters are
  /// 0 and mean nothing. `letters`, `duplicates`, `commits` and the load are always counted.
  bool counted = false;
  bool accepting = true;
  /// By name, kOtherSeries last.
  std::vector<TypeMetrics> types = {};
  /// By type and name, kOtherSeries last; if they are not counted, as they were subscribed.
  std::vector<HandlerMetrics> handlers = {};
  LetterMetrics letters = {};
  /// Publishes that repeated an idempotency key or a foreign id, and were not delivered again.
  std::uint64_t duplicates = 0;
  /// Changes of counters that no row of a minute has, for lack of memory or because there are too many types:
  /// the sum of the records `counters_lost`. Metrics have them, as kOtherSeries.
  std::uint64_t counts_lost = 0;
  /// How long each commit of letters or of the journal took that threads share, refused ones included; not
  /// those of handlers' transactions.
  DurationHistogram commits = {};
  /// Not set: the bus has no journal.
  std::optional<JournalMetrics> journal = std::nullopt;
  std::size_t workers = 0;
  /// Workers that are at a queue. One that waits some microseconds for more is, too.
  std::size_t workers_busy = 0;
};

}  // namespace tidings
