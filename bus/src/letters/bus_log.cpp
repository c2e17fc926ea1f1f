#include "letters/bus_log.hpp"

#include <tidings/correlation.hpp>
#include <tidings/logging/ambient_fields.hpp>

#include <initializer_list>
#include <string>

namespace tidings::detail {

namespace {

using logging::Field;
using logging::Level;
using logging::detail::log_reserved;

/// A record that there is no memory for is lost, and nothing else is: also what its fields are made of.
template <class Work>
void quietly(const Work& work) noexcept {
  try {
    work();
  } catch (...) {
    return;
  }
}

double milliseconds(std::chrono::microseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

/// While it lives, this thread's records show the ids and attributes of one event, or of none, instead of
/// those of what the thread is at.
class RecordContext {
 public:
  RecordContext() noexcept : thread_(ambient_frame) { ambient_frame = nullptr; }
  RecordContext(const Metadata& metadata, std::string_view event_type, const std::string* handler) noexcept
      : thread_(ambient_frame) {
    event_.event = &metadata;
    event_.event_type = event_type;
    event_.handler = handler;
    ambient_frame = &event_;
  }
  RecordContext(const RecordContext&) = delete;
  RecordContext& operator=(const RecordContext&) = delete;
  ~RecordContext() { ambient_frame = thread_; }

 private:
  const AmbientFrame* const thread_;
  AmbientFrame event_;
};

}  // namespace

/// Every record of the bus is written here.
void BusLog::write(Level level, std::string_view record, std::initializer_list<Field> fields) const noexcept {
  if (!sinks_.enter()) return;
  log_reserved(logger_, level, record, fields);
  sinks_.leave();
}

/// For records that whoever comes by writes, who commits for all, stops the bus or looks after it: nothing of
/// the request that its thread is at belongs there.
void BusLog::write_nobodys(Level level, std::string_view record,
                           std::initializer_list<Field> fields) const noexcept {
  const RecordContext nobodys;
  const logging::AmbientFields none{logging::CapturedFields()};
  write(level, record, fields);
}

/// For a record about an event that its own publisher writes, perhaps inside the handler of another.
void BusLog::write_published(Level level, std::string_view record, const Payload& payload,
                             const Metadata& metadata) const noexcept {
  const RecordContext events(metadata, payload.event_type, nullptr);
  quietly([&] {
    write(level, record,
          {{"event_type", payload.event_type},
           {"event_id", metadata.event_id.to_string()},
           {"correlation_id", metadata.correlation_id.to_string()}});
  });
}

void BusLog::started(const BusOptions& options) const noexcept {
  quietly([&] {
    write_nobodys(Level::Info, "bus_started",
                  {{"service", options.service},
                   {"workers", options.workers},
                   {"durable_letters", options.store != nullptr}});
  });
}

void BusLog::stopped(const StopReport& report) const noexcept {
  quietly([&] {
    write_nobodys(report.drained ? Level::Info : Level::Warning, "bus_stopped",
                  {{"drained", report.drained},
                   {"settled_as_letters", report.settled_as_letters},
                   {"left_in_journal", report.left_in_journal},
                   {"owed_to_nobody", report.owed_to_nobody},
                   {"still_running", report.still_running.size()}});
  });
}

void BusLog::published(const Payload& payload, const Metadata& metadata) const noexcept {
  write_published(Level::Debug, "event_published", payload, metadata);
}

void BusLog::unhandled(const Payload& payload, const Metadata& metadata) const noexcept {
  write_published(Level::Warning, "event_unhandled", payload, metadata);
}

void BusLog::duplicate(const Payload& payload, const Metadata& metadata, std::string_view idempotency_key,
                       const EventId& first) noexcept {
  constexpr std::string_view kRecord = "publish_duplicate";
  if (!admit(kRecord, "", "", metadata.event_id)) return;
  const RecordContext events(metadata, payload.event_type, nullptr);
  quietly([&] {
    write(Level::Info, kRecord,
          {{"event_type", payload.event_type},
           {"event_id", metadata.event_id.to_string()},
           {"idempotency_key", idempotency_key},
           {"first_event_id", first.is_nil() ? logging::Value() : logging::Value(first.to_string())}});
  });
}

void BusLog::handled(const EventContext& context, std::chrono::microseconds duration) const noexcept {
  quietly([&] {
    write(Level::Debug, "handler_handled",
          {{"duration_ms", milliseconds(duration)}, {"attempt", context.attempt()}});
  });
}

void BusLog::slow(const EventContext& context, std::chrono::microseconds duration) noexcept {
  constexpr std::string_view kRecord = "handler_slow";
  if (!admit(kRecord, context.handler(), context.handler(), context.metadata().event_id)) return;
  quietly([&] {
    write(Level::Warning, kRecord, {{"duration_ms", milliseconds(duration)}, {"attempt", context.attempt()}});
  });
}

void BusLog::transaction_waited(const EventContext& context, std::chrono::microseconds waited) noexcept {
  constexpr std::string_view kRecord = "transaction_waited";
  if (!admit(kRecord, context.handler(), context.handler(), context.metadata().event_id)) return;
  quietly([&] {
    write(Level::Warning, kRecord, {{"waited_ms", milliseconds(waited)}, {"attempt", context.attempt()}});
  });
}

void BusLog::transaction_held(const EventContext& context, std::chrono::microseconds held) noexcept {
  constexpr std::string_view kRecord = "transaction_held";
  if (!admit(kRecord, context.handler(), context.handler(), context.metadata().event_id)) return;
  quietly([&] {
    write(Level::Warning, kRecord, {{"held_ms", milliseconds(held)}, {"attempt", context.attempt()}});
  });
}

bool BusLog::admit(std::string_view record, std::string_view handler, std::string_view fingerprint) noexcept {
  try {
    return limit_.admit(record, handler, fingerprint, "", clock_->monotonic_now());
  } catch (...) {
    return true;
  }
}

bool BusLog::admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                   const EventId& event_id) noexcept {
  try {
    return limit_.admit(record, handler, fingerprint, event_id.to_string(), clock_->monotonic_now());
  } catch (...) {
    return true;  // Out of memory: better a record too many than one too few.
  }
}

void BusLog::failed(const EventContext& context, const Attempt& attempt, std::string_view fingerprint,
                    std::optional<std::chrono::microseconds> retry_in) noexcept {
  const Metadata& metadata = context.metadata();
  if (!admit("handler_failed", context.handler(), fingerprint, metadata.event_id)) return;
  logging::Value retry_in_ms;
  if (retry_in) retry_in_ms = milliseconds(*retry_in);
  quietly([&] {
    write(Level::Warning, "handler_failed",
          {{"handler", context.handler()},
           {"event_type", context.event_type()},
           {"event_id", metadata.event_id.to_string()},
           {"correlation_id", metadata.correlation_id.to_string()},
           {"attempt", context.attempt()},
           {"max_attempts", context.max_attempts()},
           {"duration_ms", milliseconds(attempt.duration)},
           {"error_type", attempt.error_type},
           {"error", attempt.error_message},
           {"retry_in_ms", std::move(retry_in_ms)}});
  });
}

void BusLog::about_letter(Level level, std::string_view record, const DeadLetter& letter,
                          Field detail) noexcept {
  if (!admit(record, letter.handler, letter.error_fingerprint, letter.metadata.event_id)) return;
  write_about_letter(level, record, letter, std::move(detail));
}

void BusLog::write_about_letter(Level level, std::string_view record, const DeadLetter& letter,
                                Field detail) const noexcept {
  const RecordContext letters(letter.metadata, letter.event_type,
                              letter.handler.empty() ? nullptr : &letter.handler);
  const logging::AmbientFields none{logging::CapturedFields()};
  quietly([&] {
    write(level, record,
          {{"handler", letter.handler},
           {"event_type", letter.event_type},
           {"event_id", letter.metadata.event_id.to_string()},
           {"correlation_id", letter.metadata.correlation_id.to_string()},
           {"reason", to_string(letter.reason)},
           {"error_type", letter.error_type},
           {"error", letter.error_message},
           {"fingerprint", letter.error_fingerprint},
           std::move(detail)});
  });
}

void BusLog::gave_up(const DeadLetter& letter) noexcept {
  const Field attempts{"attempts", letter.attempts.empty() ? 0U : letter.retry_count + 1};
  switch (letter.reason) {
    case Reason::Exhausted:
    case Reason::Permanent:
    case Reason::Undecodable:
    case Reason::Crashed:
      return about_letter(Level::Error, "handler_exhausted_retries", letter, attempts);
    case Reason::CausationLoop:
    case Reason::Unhandled:
    case Reason::Shutdown:
    case Reason::Parked:
      return about_letter(Level::Error, "delivery_set_aside", letter, attempts);
  }
}

void BusLog::letter_stored(const DeadLetter& letter, std::int64_t id) noexcept {
  about_letter(Level::Warning, "dead_letter_stored", letter, {"dead_letter_id", id});
}

void BusLog::letter_spilled(const DeadLetter& letter, std::string_view problem) noexcept {
  about_letter(Level::Critical, "dead_letter_spilled", letter, {"problem", problem});
}

void BusLog::letter_unsaved(const DeadLetter& letter, std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "dead_letter_unsaved";
  try {
    const std::string whole = std::string(problem) +
                              "; the whole letter is on standard error: keep that, and when the database "
                              "works again, run dead-letters import on it";
    about_letter(Level::Critical, kRecord, letter, {"problem", whole});
  } catch (...) {
    about_letter(Level::Critical, kRecord, letter, {"problem", problem});
  }
}

void BusLog::letter_dropped(const DeadLetter& letter) noexcept {
  const Field problem{"problem", "the bus has no store: set BusOptions::store to keep dead letters"};
  // Of what a stop leaves over this is the only trace, and there is no more than the queues held: each is
  // told.
  if (letter.reason == Reason::Shutdown)
    return write_about_letter(Level::Error, "dead_letter_dropped", letter, problem);
  about_letter(Level::Error, "dead_letter_dropped", letter, problem);
}

/// Of what is tried again and again, and may fail again and again. The name and the problem, without what
/// changes in it, make the cause.
bool BusLog::admit_fault(std::string_view record, std::string_view handler,
                         std::string_view problem) noexcept {
  try {
    return limit_.admit(record, handler, error_fingerprint(handler, record, problem), "",
                        clock_->monotonic_now(), RecordLimit::kOfFaults);
  } catch (...) {
    return true;
  }
}

void BusLog::database_busy(std::size_t letters, std::chrono::milliseconds retry_in,
                           std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "letters_waiting_for_database";
  if (!admit_fault(kRecord, "", problem)) return;
  quietly([&] {
    write_nobodys(Level::Warning, kRecord,
                  {{"letters", letters}, {"retry_in_ms", retry_in.count()}, {"problem", problem}});
  });
}

void BusLog::waiting_for_handler(const HandlerIdentity& handler, std::chrono::seconds waited) noexcept {
  constexpr std::string_view kRecord = "waiting_for_handler";
  if (!admit_fault(kRecord, handler.handler, handler.event_type)) return;
  quietly([&] {
    write_nobodys(Level::Warning, kRecord,
                  {{"handler", handler.handler},
                   {"event_type", handler.event_type},
                   {"waited_ms", std::chrono::milliseconds(waited).count()}});
  });
}

void BusLog::spill_imported(const SpillImport& import) noexcept {
  constexpr std::string_view kRecord = "spilled_letters_imported";
  if (!admit(kRecord, "", "")) return;
  quietly([&] {
    write_nobodys(import.set_aside > 0 ? Level::Error : Level::Info, kRecord,
                  {{"imported", import.imported},
                   {"set_aside", import.set_aside},
                   {"set_aside_in", import.set_aside_in}});
  });
}

void BusLog::spill_waits(std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "spilled_letters_waiting";
  if (!admit_fault(kRecord, "", problem)) return;
  quietly([&] { write_nobodys(Level::Warning, kRecord, {{"problem", problem}}); });
}

void BusLog::database_on_network(const SinkFiles& files) const noexcept {
  quietly([&] {
    write_nobodys(Level::Warning, "database_on_network_file_system",
                  {{"file_system", files.network_file_system}});
  });
}

void BusLog::wal_growing(const SinkFiles& files) const noexcept {
  quietly([&] {
    write_nobodys(Level::Warning, "wal_growing",
                  {{"wal_bytes", files.wal_bytes}, {"database_bytes", files.database_bytes}});
  });
}

void BusLog::wal_emptied(const SinkFiles& files) const noexcept {
  quietly([&] { write_nobodys(Level::Info, "wal_emptied", {{"freed_bytes", files.wal_freed}}); });
}

void BusLog::journal_refused(std::string_view problem, std::chrono::milliseconds retry_in) noexcept {
  constexpr std::string_view kRecord = "journal_refused";
  if (!admit_fault(kRecord, "", problem)) return;
  quietly([&] {
    write_nobodys(Level::Error, kRecord, {{"retry_in_ms", retry_in.count()}, {"problem", problem}});
  });
}

/// Once.
void BusLog::journal_lost(std::string_view problem) const noexcept {
  quietly([&] { write_nobodys(Level::Critical, "journal_lost", {{"problem", problem}}); });
}

void BusLog::unserved(const OwedTotal& total) noexcept {
  constexpr std::string_view kRecord = "deliveries_unserved";
  if (!admit(kRecord, total.handler, "")) return;
  quietly([&] {
    write_nobodys(Level::Warning, kRecord,
                  {{"handler", total.handler},
                   {"event_type", total.event_type},
                   {"deliveries", total.deliveries},
                   {"oldest_published_at", to_rfc3339(total.oldest_published_at)}});
  });
}

/// Once.
void BusLog::recovered(const JournalStart& start) const noexcept {
  quietly([&] {
    write_nobodys(
        start.crashed ? Level::Warning : Level::Info, "journal_recovered",
        {{"events", start.events}, {"crashed", start.crashed}, {"suspects", start.suspects.size()}});
  });
}

void BusLog::housekeeping_failed(std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "housekeeping_failed";
  if (!admit_fault(kRecord, "", problem)) return;
  quietly([&] { write_nobodys(Level::Error, kRecord, {{"problem", problem}}); });
}

void BusLog::redrive_claimed(std::size_t letters) noexcept {
  constexpr std::string_view kRecord = "redrive_claimed";
  if (!admit(kRecord, "", "")) return;
  quietly([&] { write_nobodys(Level::Info, kRecord, {{"letters", letters}}); });
}

/// Once a request.
void BusLog::redrive_ended(const RedriveEnd& end) const noexcept {
  quietly([&] {
    write_nobodys(end.stopped ? Level::Warning : Level::Info,
                  end.stopped ? "redrive_stopped" : "redrive_finished",
                  {{"redrive_id", end.id}, {"succeeded", end.succeeded}, {"failed", end.failed}});
  });
}

void BusLog::redrive_crashed(std::int64_t letter_id) noexcept {
  constexpr std::string_view kRecord = "redrive_crashed";
  if (!admit(kRecord, "", "")) return;
  quietly([&] { write_nobodys(Level::Error, kRecord, {{"dead_letter_id", letter_id}}); });
}

void BusLog::redrive_unreadable(const UnreadableLetter& letter) noexcept {
  constexpr std::string_view kRecord = "redrive_unreadable";
  if (!admit(kRecord, "", "")) return;
  quietly([&] {
    write_nobodys(Level::Error, kRecord, {{"dead_letter_id", letter.id}, {"problem", letter.problem}});
  });
}

void BusLog::flush_summaries(Instant now) noexcept {
  try {
    for (const RecordLimit::Summary& summary : limit_.take_summaries(now)) {
      quietly([&] {
        write_nobodys(Level::Warning, "records_held_back",
                      {{"handler", summary.handler},
                       {"event_id", summary.last_event_id.empty() ? logging::Value()
                                                                  : logging::Value(summary.last_event_id)},
                       {"record", summary.record},
                       {"fingerprint", summary.fingerprint},
                       {"held_back", summary.held_back}});
      });
    }
  } catch (...) {
    return;  // Out of memory: the counts are lost, the letters are not.
  }
}

}  // namespace tidings::detail
