#pragma once

#include "log/record_limit.hpp"
#include "log/sink_watch.hpp"

#include <tidings/clock.hpp>
#include <tidings/context.hpp>
#include <tidings/dead_letter.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/redrive.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::detail {

/// A record that there is no memory for is lost, and nothing else is: also what its fields are made of.
/// Fields that only refer to what is there throw nothing, and need this not.
template <class Work>
void quietly(const Work& work) noexcept {
  try {
    work();
  } catch (...) {
    return;
  }
}

/// While it lives, this thread's records show the ids and context fields of one event, or of none, instead of
/// those of what the thread is at.
class RecordContext {
 public:
  RecordContext() noexcept;
  /// `bound` is what the handler had bound to the attempt that the records are about.
  RecordContext(const Metadata& metadata, std::string_view event_type, const std::string* handler,
                ContextFields bound = {}) noexcept;
  RecordContext(const RecordContext&) = delete;
  RecordContext& operator=(const RecordContext&) = delete;
  ~RecordContext();

 private:
  const AmbientFrame* const thread_;
  BoundFields bound_;
  BoundFields* const bound_at_ = &bound_;
  AmbientFrame event_;
};

/// How the records of a bus are written: past sinks in which others are stuck, and past one limit of what can
/// repeat. Never throws. Thread-safe.
class RecordLog {
 public:
  RecordLog(const logging::Logger& logger, std::shared_ptr<Clock> clock)
      : logger_(logger), audit_(logger.with_name(kAuditLogger)), clock_(std::move(clock)) {}

  [[nodiscard]] bool debug() const noexcept { return logger_.enabled(logging::Level::Debug); }

  [[nodiscard]] Json configuration() const { return logging::detail::configuration_of(logger_); }

  /// Whether a record of that name and cause may be written now; if not it is counted.
  [[nodiscard]] bool admit(std::string_view record, std::string_view handler,
                           std::string_view fingerprint) noexcept;
  [[nodiscard]] bool admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                           const EventId& event_id) noexcept;
  [[nodiscard]] bool admit_fault(std::string_view record, std::string_view handler,
                                 std::string_view problem) noexcept;

  void write(logging::Level level, std::string_view record,
             std::span<const logging::Field> fields) const noexcept;
  void write(logging::Level level, std::string_view record,
             std::initializer_list<logging::Field> fields) const noexcept {
    write(level, record, std::span<const logging::Field>(fields.begin(), fields.size()));
  }
  void write_nobodys(logging::Level level, std::string_view record,
                     std::span<const logging::Field> fields) const noexcept;
  void write_nobodys(logging::Level level, std::string_view record,
                     std::initializer_list<logging::Field> fields) const noexcept {
    write_nobodys(level, record, std::span<const logging::Field>(fields.begin(), fields.size()));
  }
  /// For the records of `tidings.audit`: with the context of whoever asked.
  void write_audit(std::string_view record, std::initializer_list<logging::Field> fields) const noexcept;
  void write_published(logging::Level level, std::string_view record, const Payload& payload,
                       const Metadata& metadata) const noexcept;

  /// From here on records are lost rather than waited for while others are stuck in a sink.
  void stop_waiting() noexcept { sinks_.stop_waiting(); }
  /// Summaries of held-back records.
  void flush_summaries(Instant now) noexcept;
  [[nodiscard]] std::optional<Instant> due() const { return limit_.due(); }

 private:
  const logging::Logger logger_;
  const logging::Logger audit_;
  const std::shared_ptr<Clock> clock_;
  mutable SinkWatch sinks_;
  RecordLimit limit_;
};

}  // namespace tidings::detail
