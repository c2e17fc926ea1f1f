#pragma once

#include "letters/record_limit.hpp"
#include "letters/sink_watch.hpp"

#include <tidings/bus.hpp>
#include <tidings/clock.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/event_context.hpp>
#include <tidings/journal.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/redrive.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::detail {

/// Everything a bus logs, in one place. Names and fields are an interface: docs/logging.md. What can
/// repeat passes through one limit. Never throws. Thread-safe.
class BusLog {
 public:
  BusLog(const logging::Logger& logger, std::shared_ptr<Clock> clock)
      : logger_(logger), clock_(std::move(clock)) {}

  [[nodiscard]] bool debug() const noexcept { return logger_.enabled(logging::Level::Debug); }

  void started(const BusOptions& options) const noexcept;
  void stopped(const StopReport& report) const noexcept;
  void published(const Payload& payload, const Metadata& metadata) const noexcept;
  void unhandled(const Payload& payload, const Metadata& metadata) const noexcept;
  /// An event was accepted and dropped: its idempotency key was used before, by `first` (nil: not known).
  void duplicate(const Payload& payload, const Metadata& metadata, std::string_view idempotency_key,
                 const EventId& first) noexcept;
  void handled(const EventContext& context, std::chrono::microseconds duration) const noexcept;
  void slow(const EventContext& context, std::chrono::microseconds duration) noexcept;
  /// A handler's transaction began late, or kept other writers waiting for long.
  void transaction_waited(const EventContext& context, std::chrono::microseconds waited) noexcept;
  void transaction_held(const EventContext& context, std::chrono::microseconds held) noexcept;
  void failed(const EventContext& context, const Attempt& attempt, std::string_view fingerprint,
              std::optional<std::chrono::microseconds> retry_in) noexcept;
  /// A delivery gave up: why, for the last time before its letter is stored.
  void gave_up(const DeadLetter& letter) noexcept;
  void letter_stored(const DeadLetter& letter, std::int64_t id) noexcept;
  void letter_spilled(const DeadLetter& letter, std::string_view problem) noexcept;
  void letter_unsaved(const DeadLetter& letter, std::string_view problem) noexcept;
  void letter_dropped(const DeadLetter& letter) noexcept;
  void database_busy(std::size_t letters, std::chrono::milliseconds retry_in,
                     std::string_view problem) noexcept;
  void waiting_for_handler(const HandlerIdentity& handler, std::chrono::seconds waited) noexcept;
  void spill_imported(const SpillImport& import) noexcept;
  void spill_waits(std::string_view problem) noexcept;
  void database_on_network(const SinkFiles& files) const noexcept;
  void wal_growing(const SinkFiles& files) const noexcept;
  void wal_emptied(const SinkFiles& files) const noexcept;
  void journal_lost(std::string_view problem) const noexcept;
  void journal_refused(std::string_view problem, std::chrono::milliseconds retry_in) noexcept;
  void unserved(const OwedTotal& total) noexcept;
  void recovered(const JournalStart& start) const noexcept;
  void housekeeping_failed(std::string_view problem) noexcept;
  void redrive_claimed(std::size_t letters) noexcept;
  void redrive_ended(const RedriveEnd& end) const noexcept;
  void redrive_crashed(std::int64_t letter_id) noexcept;
  void redrive_unreadable(const UnreadableLetter& letter) noexcept;

  /// From here on records are lost rather than waited for while others are stuck in a sink.
  void stop_waiting() noexcept { sinks_.stop_waiting(); }
  /// Summaries of held-back records.
  void flush_summaries(Instant now) noexcept;
  [[nodiscard]] std::optional<Instant> due() const { return limit_.due(); }

 private:
  [[nodiscard]] bool admit(std::string_view record, std::string_view handler,
                           std::string_view fingerprint) noexcept;
  [[nodiscard]] bool admit_fault(std::string_view record, std::string_view handler,
                                 std::string_view problem) noexcept;
  [[nodiscard]] bool admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                           const EventId& event_id) noexcept;
  void about_letter(logging::Level level, std::string_view record, const DeadLetter& letter,
                    logging::Field detail) noexcept;
  void write_about_letter(logging::Level level, std::string_view record, const DeadLetter& letter,
                          logging::Field detail) const noexcept;

  void write(logging::Level level, std::string_view record,
             std::initializer_list<logging::Field> fields) const noexcept;
  void write_nobodys(logging::Level level, std::string_view record,
                     std::initializer_list<logging::Field> fields) const noexcept;
  void write_published(logging::Level level, std::string_view record, const Payload& payload,
                       const Metadata& metadata) const noexcept;

  const logging::Logger logger_;
  const std::shared_ptr<Clock> clock_;
  mutable SinkWatch sinks_;
  RecordLimit limit_;
};

}  // namespace tidings::detail
