#include "dead_letters/letter_view.hpp"

#include <tidings/cloudevents.hpp>

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace tidings::dead_letters {
namespace {

OrderedJson time_or_null(const std::optional<Timestamp>& time) {
  return time ? OrderedJson(to_rfc3339(*time)) : OrderedJson(nullptr);
}

template <class Id>
OrderedJson id_or_null(const std::optional<Id>& id) {
  return id ? OrderedJson(id->to_string()) : OrderedJson(nullptr);
}

constexpr std::string_view kTracePlace = "{trace_id}";
constexpr std::string_view kSpanPlace = "{span_id}";

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

OrderedJson text_or_null(std::string text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(std::move(text));
}

void add_redrive(OrderedJson& json, const Command& command, const deadletter::StoredLetter& stored) {
  json["redrive_requested_at"] = time_or_null(stored.redrive_requested_at);
  json["redrive_id"] = stored.redrive_id ? OrderedJson(*stored.redrive_id) : OrderedJson(nullptr);
  json["resolved_at"] = time_or_null(stored.reprocessed_at);
  json["resolution"] = stored.resolution ? OrderedJson(to_string(*stored.resolution)) : OrderedJson(nullptr);
  json["resolution_note"] = text_or_null(command.masked(stored.resolution_note));
  json["edited_from"] = id_or_null(stored.edited_from);
}

}  // namespace

std::string_view state_of(const deadletter::StoredLetter& stored) noexcept {
  if (stored.resolution) return to_string(*stored.resolution);
  if (stored.is_running()) return "running";
  return stored.redrive_requested_at ? "waiting" : "unresolved";
}

OrderedJson letter_to_json(const Command& command, const deadletter::StoredLetter& stored) {
  const DeadLetter& letter = stored.letter;
  const Metadata& metadata = letter.metadata;
  OrderedJson json = {{"id", stored.id},
                      {"state", state_of(stored)},
                      {"event_id", metadata.event_id.to_string()},
                      {"event_type", letter.event_type},
                      {"schema_version", letter.schema_version},
                      {"service", letter.service},
                      {"handler", letter.handler},
                      {"reason", to_string(letter.reason)},
                      {"error_type", letter.error_type},
                      {"error_message", command.masked(letter.error_message)},
                      {"fingerprint", letter.error_fingerprint},
                      {"correlation_id", command.masked(metadata.correlation_id.to_string())},
                      {"causation_id", id_or_null(metadata.causation_id)}};
  json["ordering_key"] =
      letter.ordering_key ? OrderedJson(command.masked(*letter.ordering_key)) : OrderedJson(nullptr);
  json["source"] = command.masked(metadata.source);
  json["foreign_id"] = text_or_null(command.masked(metadata.foreign_id.value_or("")));
  json["published_at"] = to_rfc3339(metadata.published_at);
  json["failed_at"] = to_rfc3339(letter.failed_at);
  json["retry_count"] = letter.retry_count;
  json["host"] = text_or_null(letter.process.host);
  json["pid"] = letter.process.pid == 0 ? OrderedJson(nullptr) : OrderedJson(letter.process.pid);
  json["release"] = text_or_null(letter.process.release);
  json["data_encoding"] = to_string(letter.data.encoding);
  add_redrive(json, command, stored);
  return json;
}

Json envelope_of(const DeadLetter& letter) {
  CloudEvent event{
      .type = letter.event_type, .schema_version = letter.schema_version, .metadata = letter.metadata};
  if (letter.data.encoding == DataEncoding::Json || letter.data.encoding == DataEncoding::Masked) {
    event.data = decode_data(letter.data.bytes, letter.data.encoding);
    event.datacontenttype = "application/json";
  } else if (letter.data.encoding == DataEncoding::Cbor) {
    event.binary = letter.data.bytes;
    event.has_binary = true;
    event.datacontenttype = "application/cbor";
  }
  return to_cloudevent_json(event);
}

std::optional<EncodedData> readable_data(Command& command, const DeadLetter& letter) {
  if (letter.data.encoding != DataEncoding::Encrypted) return letter.data;
  const auto cipher = command.cipher();
  if (!cipher) return std::nullopt;
  return cipher->decrypt(letter.data.bytes, {letter.event_type, letter.metadata.event_id});
}

OrderedJson event_to_json(Command& command, const deadletter::StoredLetter& stored) try {
  DeadLetter letter = stored.letter;
  letter.data = readable_data(command, letter).value_or(EncodedData{"", DataEncoding::None, ""});
  // Values that JSON cannot represent are shown as similar as possible rather than in base64, in which
  // secrets cannot be masked.
  if (letter.data.encoding == DataEncoding::Cbor) {
    const Json payload = decode_data(letter.data.bytes, letter.data.encoding);
    letter.data = {payload.dump(-1, ' ', true, Json::error_handler_t::replace), DataEncoding::Json, {}};
  }
  return OrderedJson(command.masked_json(envelope_of(letter)));
} catch (const Error&) {
  return nullptr;
}

OrderedJson fields_to_json(const Command& command, const ContextFields& fields) {
  Json object = Json::object();
  for (const auto& [name, value] : fields) object[name] = value.to_json();
  return OrderedJson(command.masked_json(object));
}

std::optional<TraceId> trace_of(const DeadLetter& letter, const Attempt& attempt) {
  if (!attempt.span_id) return std::nullopt;
  if (attempt.trace_id) return attempt.trace_id;
  if (!letter.metadata.traceparent) return std::nullopt;
  return TraceId{letter.metadata.traceparent->trace_id};
}

std::optional<std::string> trace_link(const DeadLetter& letter) {
  const char* const given = std::getenv("TIDINGS_TRACE_URL");  // NOLINT(concurrency-mt-unsafe): one thread
  std::string url = given == nullptr ? "" : given;
  const bool is_web = url.rfind("https://", 0) == 0 || url.rfind("http://", 0) == 0;
  if (!is_web || url.find(kTracePlace) == std::string::npos) return std::nullopt;
  std::optional<TraceId> trace;
  std::string span;
  if (!letter.attempts.empty() && (trace = trace_of(letter, letter.attempts.back())))
    span = letter.attempts.back().span_id->to_string();
  if (const auto& events = letter.metadata.traceparent; !trace && events) {
    trace = TraceId{events->trace_id};
    span = events->parent_id_text();
  }
  if (!trace) return std::nullopt;
  replace_all(url, kTracePlace, trace->to_string());
  replace_all(url, kSpanPlace, span);
  return url;
}

OrderedJson attempts_to_json(const Command& command, const deadletter::StoredLetter& stored) {
  OrderedJson attempts = OrderedJson::array();
  for (const Attempt& attempt : stored.letter.attempts) {
    attempts.push_back({{"at", to_rfc3339(attempt.at)},
                        {"duration_us", attempt.duration.count()},
                        {"error_type", attempt.error_type},
                        {"error_message", command.masked(attempt.error_message)},
                        {"fields", fields_to_json(command, attempt.fields)},
                        {"trace_id", id_or_null(trace_of(stored.letter, attempt))},
                        {"span_id", id_or_null(attempt.span_id)}});
  }
  return attempts;
}

OrderedJson group_to_json(const Command& command, const deadletter::Group& group) {
  return {{"fingerprint", group.fingerprint},
          {"letters", group.count},
          {"event_type", group.event_type},
          {"event_types", group.event_types},
          {"handler", group.handler},
          {"service", group.service},
          {"error_type", group.error_type},
          {"sample_error", command.masked(group.sample_error)},
          {"newest_letter", group.newest_id},
          {"first_failed_at", to_rfc3339(group.first_failed_at)},
          {"last_failed_at", to_rfc3339(group.last_failed_at)}};
}

std::string types_of(const deadletter::Group& group) {
  return group.event_types == 1 ? group.event_type : grouped(group.event_types) + " types";
}

std::string error_text(const Command& command, std::string_view type, std::string_view message) {
  std::string text = command.masked(message);
  if (type.empty()) return text;
  return text.empty() ? std::string(type) : std::string(type) + ": " + text;
}

std::string cause_text(const Command& command, std::string_view type, std::string_view message) {
  if (message.empty()) return error_text(command, type, message);
  if (type.starts_with("std::") || type.starts_with("tidings::")) return error_text(command, {}, message);
  const auto name = type.substr(0, type.find('<')).rfind("::");
  return error_text(command, name == std::string_view::npos ? type : type.substr(name + 2), message);
}

}  // namespace tidings::dead_letters
