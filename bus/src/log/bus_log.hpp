#pragma once

#include "log/letter_log.hpp"
#include "log/record_log.hpp"

#include <tidings/bus.hpp>
#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/event_context.hpp>
#include <tidings/journal.hpp>
#include <tidings/logging/logger.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::detail {

/// Everything a bus logs; what concerns letters is in LetterLog. Names and fields are an interface, described
/// in docs/logging.md. Records that can repeat pass through one limiter. Never throws.
/// Thread-safe.
class BusLog {
 public:
  BusLog(const logging::Logger& logger, std::shared_ptr<Clock> clock) : records_(logger, std::move(clock)) {}

  [[nodiscard]] bool debug() const noexcept { return records_.debug(); }

  void started(const BusOptions& options) const noexcept;
  void stopped(const StopReport& report) const noexcept;
  void published(const Payload& payload, const Metadata& metadata) const noexcept;
  /// Logged when a handler subscribes to a type that needs a key.
  void key_missing(std::string_view event_type, std::string_view handler) const noexcept;
  void unhandled(const Payload& payload, const Metadata& metadata) const noexcept;
  /// An event was accepted and dropped: its idempotency key was used before, by `first` (nil: not known).
  void duplicate(const Payload& payload, const Metadata& metadata, std::string_view idempotency_key,
                 const EventId& first) noexcept;
  void handled(const EventContext& context, std::chrono::microseconds duration) const noexcept;
  void slow(const EventContext& context, std::chrono::microseconds duration,
            std::chrono::microseconds threshold) noexcept;
  /// A handler's transaction began late, or kept other writers waiting for long.
  void transaction_waited(const EventContext& context, std::chrono::microseconds waited) noexcept;
  void transaction_held(const EventContext& context, std::chrono::microseconds held) noexcept;
  void failed(const EventContext& context, const Attempt& attempt, std::string_view fingerprint,
              std::optional<std::chrono::microseconds> retry_in) noexcept;
  void waiting_for_handler(const HandlerIdentity& handler, std::chrono::seconds waited) noexcept;
  void database_on_network(const SinkFiles& files) const noexcept;
  void wal_growing(const SinkFiles& files) const noexcept;
  void wal_emptied(const SinkFiles& files) const noexcept;
  void journal_lost(std::string_view problem) const noexcept;
  void journal_refused(std::string_view problem, std::chrono::milliseconds retry_in) noexcept;
  void unserved(const OwedTotal& total) noexcept;
  void recovered(const JournalStart& start) const noexcept;
  /// Once: it is not called any more.
  void observer_failed(std::string_view problem) const noexcept;
  void housekeeping_failed(std::string_view problem) noexcept;
  /// `counts` is how many changes of counters were not counted; 0: not known.
  void counters_lost(std::uint64_t counts, std::string_view problem) noexcept;

  /// From here on records are lost rather than waited for while others are stuck in a sink.
  void stop_waiting() noexcept { records_.stop_waiting(); }
  /// Summaries of held-back records.
  void flush_summaries(Instant now) noexcept { records_.flush_summaries(now); }
  [[nodiscard]] std::optional<Instant> due() const { return records_.due(); }

 private:
  void took_long(std::string_view record, const EventContext& context, std::string_view field,
                 std::chrono::microseconds duration) noexcept;

  RecordLog records_;

 public:
  LetterLog letters{records_};
};

}  // namespace tidings::detail
