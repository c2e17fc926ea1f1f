#include "log/letter_log.hpp"

#include <tidings/detail/parse_json.hpp>
#include <tidings/process_identity.hpp>

#include <string>
#include <utility>

namespace tidings::detail {

namespace {

using logging::Field;
using logging::Level;

}  // namespace

void LetterLog::gave_up(const DeadLetter& letter) noexcept {
  const Field attempts{"attempts", letter.attempts.empty() ? 0U : letter.retry_count + 1};
  switch (letter.reason) {
    case Reason::Exhausted:
    case Reason::Permanent:
    case Reason::Undecodable:
    case Reason::Crashed:
      return about(Level::Error, "handler_exhausted_retries", letter, attempts);
    case Reason::CausationLoop:
    case Reason::Unhandled:
    case Reason::Shutdown:
    case Reason::Parked:
      return about(Level::Error, "delivery_set_aside", letter, attempts);
  }
}

void LetterLog::stored(const DeadLetter& letter, std::int64_t id) noexcept {
  about(Level::Warning, "dead_letter_stored", letter, {"dead_letter_id", id});
}

void LetterLog::spilled(const DeadLetter& letter, std::string_view problem) noexcept {
  about(Level::Critical, "dead_letter_spilled", letter, {"problem", problem});
}

void LetterLog::unsaved(const DeadLetter& letter, std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "dead_letter_unsaved";
  try {
    const std::string whole = std::string(problem) +
                              "; the whole letter is on standard error: keep that, and when the database "
                              "works again, run dead-letters import on it";
    about(Level::Critical, kRecord, letter, {"problem", whole});
  } catch (...) {
    about(Level::Critical, kRecord, letter, {"problem", problem});
  }
}

void LetterLog::dropped(const DeadLetter& letter) noexcept {
  const Field problem{"problem", "the bus has no store: set BusOptions::store to keep dead letters"};
  // This is the only trace of what a stop leaves, and there is no more of it than the queues held: every one
  // is logged.
  if (letter.reason == Reason::Shutdown)
    return write_about(Level::Error, "dead_letter_dropped", letter, problem);
  about(Level::Error, "dead_letter_dropped", letter, problem);
}

void LetterLog::database_busy(std::size_t letters, std::chrono::milliseconds retry_in,
                              std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "letters_waiting_for_database";
  if (!records_.admit_fault(kRecord, "", problem)) return;
  records_.write_nobodys(Level::Warning, kRecord,
                         {{"letters", letters}, {"retry_in_ms", retry_in.count()}, {"problem", problem}});
}

void LetterLog::spill_imported(const SpillImport& import) noexcept {
  constexpr std::string_view kRecord = "spilled_letters_imported";
  if (!records_.admit(kRecord, "", "")) return;
  records_.write_nobodys(import.set_aside > 0 ? Level::Error : Level::Info, kRecord,
                         {{"imported", import.imported},
                          {"set_aside", import.set_aside},
                          {"set_aside_in", import.set_aside_in}});
}

void LetterLog::spill_waits(std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "spilled_letters_waiting";
  if (!records_.admit_fault(kRecord, "", problem)) return;
  records_.write_nobodys(Level::Warning, kRecord, {{"problem", problem}});
}

void LetterLog::redrive_requested(const RedriveRequest& request, std::string_view who) const noexcept {
  quietly([&] {
    const Json filter = request.filter.empty() ? Json() : parse_json(request.filter);
    records_.write_audit("letters_changed", {{"verb", "retry"},
                                             {"letters", request.letters},
                                             {"filter", filter},
                                             {"user", who},
                                             {"actor_host", process_identity().host},
                                             {"redrive_id", request.id}});
  });
}

void LetterLog::redrive_claimed(std::size_t letters) noexcept {
  constexpr std::string_view kRecord = "redrive_claimed";
  if (!records_.admit(kRecord, "", "")) return;
  records_.write_nobodys(Level::Info, kRecord, {{"letters", letters}});
}

void LetterLog::redrive_ended(const RedriveEnd& end) const noexcept {
  records_.write_nobodys(end.stopped ? Level::Warning : Level::Info,
                         end.stopped ? "redrive_stopped" : "redrive_finished",
                         {{"redrive_id", end.id}, {"succeeded", end.succeeded}, {"failed", end.failed}});
}

void LetterLog::redrive_crashed(const RedriveResult& crashed) noexcept {
  constexpr std::string_view kRecord = "redrive_crashed";
  const Field number{"dead_letter_id", crashed.id};
  if (crashed.end == RedriveResult::End::Failed) return about(Level::Error, kRecord, crashed.letter, number);
  if (!records_.admit(kRecord, "", "")) return;
  records_.write_nobodys(Level::Error, kRecord, {number});
}

void LetterLog::redrive_unreadable(const UnreadableLetter& letter) noexcept {
  constexpr std::string_view kRecord = "redrive_unreadable";
  if (!records_.admit(kRecord, "", "")) return;
  records_.write_nobodys(Level::Error, kRecord, {{"dead_letter_id", letter.id}, {"problem", letter.problem}});
}

void LetterLog::about(Level level, std::string_view record, const DeadLetter& letter, Field detail) noexcept {
  if (!records_.admit(record, letter.handler, letter.error_fingerprint, letter.metadata.event_id)) return;
  write_about(level, record, letter, std::move(detail));
}

void LetterLog::write_about(Level level, std::string_view record, const DeadLetter& letter,
                            Field detail) const noexcept {
  const RecordContext letters(letter.metadata, letter.event_type,
                              letter.handler.empty() ? nullptr : &letter.handler,
                              letter.attempts.empty() ? ContextFields() : letter.attempts.back().fields);
  quietly([&] {
    records_.write(level, record,
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

}  // namespace tidings::detail
