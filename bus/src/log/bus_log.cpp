#include "log/bus_log.hpp"

#include "event/payload_keeper.hpp"

#include <tidings/process_identity.hpp>
#include <tidings/version.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

namespace {

using logging::Level;

logging::Value text_or_null(const std::string& text) {
  return text.empty() ? logging::Value() : logging::Value(text);
}

constexpr std::string_view name_of(Durability durability) noexcept {
  switch (durability) {
    case Durability::None:
      return "none";
    case Durability::ProcessCrash:
      return "process_crash";
    case Durability::PowerLoss:
      break;
  }
  return "power_loss";
}

constexpr std::string_view name_of(Unhandled unhandled) noexcept {
  switch (unhandled) {
    case Unhandled::Ignore:
      return "ignore";
    case Unhandled::Warn:
      return "warn";
    case Unhandled::DeadLetter:
      break;
  }
  return "dead_letter";
}

/// Those whose names are not taken.
void add_fields(const Json& object, std::vector<logging::Field>& fields) {
  for (const auto& item : object.items()) {
    const bool taken = std::any_of(fields.begin(), fields.end(),
                                   [&](const logging::Field& field) { return field.name == item.key(); });
    const logging::Field field{item.key(), item.value()};
    if (!taken) fields.push_back(field);
  }
}

double milliseconds(std::chrono::microseconds duration) {
  return static_cast<double>(duration.count()) / 1000.0;
}

}  // namespace

/// Each owner of options says its own. None is secret, and what a path or a source holds of secrets the
/// logger masks.
void BusLog::started(const BusOptions& options) const noexcept {
  quietly([&] {
    const ProcessIdentity& process = process_identity();
    const std::string database = options.store ? options.store->location() : std::string();
    std::vector<logging::Field> fields{{"service", options.service},
                                       {"environment", text_or_null(process.environment)},
                                       {"release", text_or_null(process.release)},
                                       {"host", text_or_null(process.host)},
                                       {"pid", process_id()},
                                       {"version", version()},
                                       {"compiler", compiler()},
                                       {"source", options.source.empty() ? options.service : options.source},
                                       {"durable_letters", options.store != nullptr},
                                       {"database", text_or_null(database)},
                                       {"durability", name_of(options.durability)},
                                       {"workers", options.workers},
                                       {"metrics", options.telemetry.metrics},
                                       {"unhandled", name_of(options.unhandled)},
                                       {"max_causation_depth", options.max_causation_depth},
                                       {"max_crashes", options.max_crashes},
                                       {"idempotency_window_h", options.idempotency_window.count()},
                                       {"owner_wait_ms", options.owner_wait.count()},
                                       {"stop_deadline_ms", options.stop_deadline.count()}};
    const Json of_logging = records_.configuration();
    const Json of_store = options.store ? options.store->configuration() : Json::object();
    add_fields(of_logging, fields);
    add_fields(of_store, fields);
    records_.write_nobodys(Level::Info, "bus_started", fields);
  });
}

void BusLog::stopped(const StopReport& report) const noexcept {
  records_.write_nobodys(report.drained ? Level::Info : Level::Warning, "bus_stopped",
                         {{"drained", report.drained},
                          {"settled_as_letters", report.settled_as_letters},
                          {"left_in_journal", report.left_in_journal},
                          {"owed_to_nobody", report.owed_to_nobody},
                          {"still_running", report.still_running.size()}});
}

void BusLog::published(const Payload& payload, const Metadata& metadata) const noexcept {
  records_.write_published(Level::Debug, "event_published", payload, metadata);
}

void BusLog::key_missing(std::string_view event_type, std::string_view handler) const noexcept {
  records_.write_nobodys(Level::Error, "payload_key_missing",
                         {{"event_type", event_type},
                          {"handler", handler},
                          {"advice", "the type is stored encrypted or hashed: " + key_advice()}});
}

void BusLog::unhandled(const Payload& payload, const Metadata& metadata) const noexcept {
  records_.write_published(Level::Warning, "event_unhandled", payload, metadata);
}

void BusLog::duplicate(const Payload& payload, const Metadata& metadata, std::string_view idempotency_key,
                       const EventId& first) noexcept {
  constexpr std::string_view kRecord = "publish_duplicate";
  if (!records_.admit(kRecord, "", "", metadata.event_id)) return;
  const RecordContext events(metadata, payload.event_type, nullptr);
  quietly([&] {
    records_.write(
        Level::Info, kRecord,
        {{"event_type", payload.event_type},
         {"event_id", metadata.event_id.to_string()},
         {"idempotency_key", idempotency_key.empty() ? logging::Value() : logging::Value(idempotency_key)},
         {"first_event_id", first.is_nil() ? logging::Value() : logging::Value(first.to_string())}});
  });
}

void BusLog::handled(const EventContext& context, std::chrono::microseconds duration) const noexcept {
  records_.write(Level::Debug, "handler_handled",
                 {{"duration_ms", milliseconds(duration)}, {"attempt", context.attempt()}});
}

void BusLog::slow(const EventContext& context, std::chrono::microseconds duration,
                  std::chrono::microseconds threshold) noexcept {
  constexpr std::string_view kRecord = "handler_slow";
  if (!records_.admit(kRecord, context.handler(), context.handler(), context.metadata().event_id)) return;
  records_.write(Level::Warning, kRecord,
                 {{"duration_ms", milliseconds(duration)},
                  {"threshold_ms", milliseconds(threshold)},
                  {"attempt", context.attempt()}});
}

void BusLog::transaction_waited(const EventContext& context, std::chrono::microseconds waited) noexcept {
  took_long("transaction_waited", context, "waited_ms", waited);
}

void BusLog::transaction_held(const EventContext& context, std::chrono::microseconds held) noexcept {
  took_long("transaction_held", context, "held_ms", held);
}

void BusLog::took_long(std::string_view record, const EventContext& context, std::string_view field,
                       std::chrono::microseconds duration) noexcept {
  if (!records_.admit(record, context.handler(), context.handler(), context.metadata().event_id)) return;
  records_.write(Level::Warning, record, {{field, milliseconds(duration)}, {"attempt", context.attempt()}});
}

void BusLog::failed(const EventContext& context, const Attempt& attempt, std::string_view fingerprint,
                    std::optional<std::chrono::microseconds> retry_in) noexcept {
  const Metadata& metadata = context.metadata();
  if (!records_.admit("handler_failed", context.handler(), fingerprint, metadata.event_id)) return;
  logging::Value retry_in_ms;
  if (retry_in) retry_in_ms = milliseconds(*retry_in);
  quietly([&] {
    records_.write(Level::Warning, "handler_failed",
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

void BusLog::waiting_for_handler(const HandlerIdentity& handler, std::chrono::seconds waited) noexcept {
  constexpr std::string_view kRecord = "waiting_for_handler";
  if (!records_.admit_fault(kRecord, handler.handler, handler.event_type)) return;
  records_.write_nobodys(Level::Warning, kRecord,
                         {{"handler", handler.handler},
                          {"event_type", handler.event_type},
                          {"waited_ms", std::chrono::milliseconds(waited).count()}});
}

void BusLog::database_on_network(const SinkFiles& files) const noexcept {
  records_.write_nobodys(Level::Warning, "database_on_network_file_system",
                         {{"file_system", files.network_file_system}});
}

void BusLog::wal_growing(const SinkFiles& files) const noexcept {
  records_.write_nobodys(Level::Warning, "wal_growing",
                         {{"wal_bytes", files.wal_bytes}, {"database_bytes", files.database_bytes}});
}

void BusLog::wal_emptied(const SinkFiles& files) const noexcept {
  records_.write_nobodys(Level::Info, "wal_emptied", {{"freed_bytes", files.wal_freed}});
}

void BusLog::journal_refused(std::string_view problem, std::chrono::milliseconds retry_in) noexcept {
  constexpr std::string_view kRecord = "journal_refused";
  if (!records_.admit_fault(kRecord, "", problem)) return;
  records_.write_nobodys(Level::Error, kRecord, {{"retry_in_ms", retry_in.count()}, {"problem", problem}});
}

/// Once.
void BusLog::journal_lost(std::string_view problem) const noexcept {
  records_.write_nobodys(Level::Critical, "journal_lost", {{"problem", problem}});
}

void BusLog::unserved(const OwedTotal& total) noexcept {
  constexpr std::string_view kRecord = "deliveries_unserved";
  if (!records_.admit(kRecord, total.handler, "")) return;
  quietly([&] {
    records_.write_nobodys(Level::Warning, kRecord,
                           {{"handler", total.handler},
                            {"event_type", total.event_type},
                            {"deliveries", total.deliveries},
                            {"oldest_published_at", to_rfc3339(total.oldest_published_at)}});
  });
}

/// Once.
void BusLog::recovered(const JournalStart& start) const noexcept {
  records_.write_nobodys(
      start.crashed ? Level::Warning : Level::Info, "journal_recovered",
      {{"events", start.events}, {"crashed", start.crashed}, {"suspects", start.suspects.size()}});
}

void BusLog::counters_lost(std::uint64_t counts, std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "counters_lost";
  if (!records_.admit_fault(kRecord, "", problem)) return;
  records_.write_nobodys(
      Level::Warning, kRecord,
      {{"counts", counts == 0 ? logging::Value() : logging::Value(counts)}, {"problem", problem}});
}

void BusLog::observer_failed(std::string_view problem) const noexcept {
  records_.write_nobodys(Level::Error, "observer_failed", {{"problem", problem}});
}

void BusLog::housekeeping_failed(std::string_view problem) noexcept {
  constexpr std::string_view kRecord = "housekeeping_failed";
  if (!records_.admit_fault(kRecord, "", problem)) return;
  records_.write_nobodys(Level::Error, kRecord, {{"problem", problem}});
}

}  // namespace tidings::detail
