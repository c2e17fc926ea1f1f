#include "log/record_log.hpp"

#include <tidings/context.hpp>

#include <string>
#include <utility>

namespace tidings::detail {

namespace {

using logging::Field;
using logging::Level;
using logging::detail::log_reserved;

}  // namespace

RecordContext::RecordContext() noexcept : thread_(ambient_frame) { ambient_frame = nullptr; }

RecordContext::RecordContext(const Metadata& metadata, std::string_view event_type,
                             const std::string* handler, ContextFields bound) noexcept
    : thread_(ambient_frame), bound_{.handler = handler, .fields = std::move(bound)} {
  event_.event = &metadata;
  event_.event_type = event_type;
  event_.handler = handler;
  event_.bound = &bound_at_;
  ambient_frame = &event_;
}

RecordContext::~RecordContext() { ambient_frame = thread_; }

/// Every record of the bus is written here.
void RecordLog::write(Level level, std::string_view record, std::span<const Field> fields) const noexcept {
  if (!sinks_.enter()) return;
  log_reserved(logger_, level, record, fields);
  sinks_.leave();
}

/// For records that any thread may write while it commits for others, stops the bus or does its upkeep:
/// nothing of the request that the thread is at belongs there.
void RecordLog::write_nobodys(Level level, std::string_view record,
                              std::span<const Field> fields) const noexcept {
  const RecordContext nobodys;
  write(level, record, fields);
}

void RecordLog::write_audit(std::string_view record, std::initializer_list<Field> fields) const noexcept {
  if (!sinks_.enter()) return;
  log_reserved(audit_, Level::Info, record, fields);
  sinks_.leave();
}

/// For a record about an event that its own publisher writes, perhaps inside the handler of another.
void RecordLog::write_published(Level level, std::string_view record, const Payload& payload,
                                const Metadata& metadata) const noexcept {
  const RecordContext events(metadata, payload.event_type, nullptr);
  quietly([&] {
    write(level, record,
          {{"event_type", payload.event_type},
           {"event_id", metadata.event_id.to_string()},
           {"correlation_id", metadata.correlation_id.to_string()}});
  });
}

bool RecordLog::admit(std::string_view record, std::string_view handler,
                      std::string_view fingerprint) noexcept {
  try {
    return limit_.admit(record, handler, fingerprint, "", clock_->monotonic_now());
  } catch (...) {
    return true;
  }
}

bool RecordLog::admit(std::string_view record, std::string_view handler, std::string_view fingerprint,
                      const EventId& event_id) noexcept {
  try {
    return limit_.admit(record, handler, fingerprint, event_id.to_string(), clock_->monotonic_now());
  } catch (...) {
    return true;  // Out of memory: better a record too many than one too few.
  }
}

/// For faults that every new try meets again. The name and the problem, without what changes in it, make the
/// cause.
bool RecordLog::admit_fault(std::string_view record, std::string_view handler,
                            std::string_view problem) noexcept {
  try {
    return limit_.admit(record, handler, error_fingerprint(handler, record, problem), "",
                        clock_->monotonic_now(), RecordLimit::kOfFaults);
  } catch (...) {
    return true;
  }
}

void RecordLog::flush_summaries(Instant now) noexcept {
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
