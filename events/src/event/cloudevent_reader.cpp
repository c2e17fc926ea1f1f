#include <tidings/cloudevents.hpp>

#include <tidings/detail/base64.hpp>
#include <tidings/detail/context_json.hpp>
#include <tidings/detail/quoted.hpp>

#include "json/json_builder.hpp"
#include "json/json_text.hpp"
#include "text/attribute_text.hpp"
#include "text/media_type.hpp"
#include "text/uri.hpp"

#include <cstdint>
#include <limits>
#include <utility>

namespace tidings {
namespace {

using Members = Json::object_t;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::NotDecodable, "not a CloudEvent: " + problem);
}

[[noreturn]] void refuse_attribute(std::string_view name, const std::string& rule) {
  refuse("attribute " + detail::quoted(name) + " " + rule);
}

/// Takes the members of an envelope out one by one, so that what remains are the extensions nobody knows.
class Envelope {
 public:
  explicit Envelope(Members members) : members_(std::move(members)) {}

  /// The value of an attribute; null means absent.
  std::optional<Json> take(const std::string& name) {
    auto node = members_.extract(name);
    if (node.empty() || node.mapped().is_null()) return std::nullopt;
    return std::optional<Json>(std::in_place, std::move(node.mapped()));
  }
  /// The value of the member `data`, where null is a value.
  std::optional<Json> take_data() {
    auto node = members_.extract("data");
    if (node.empty()) return std::nullopt;
    return std::optional<Json>(std::in_place, std::move(node.mapped()));
  }
  std::optional<std::string> take_text(const std::string& name);
  std::optional<std::string> take_filled_text(const std::string& name);
  std::string take_required(const std::string& name);
  std::optional<std::int32_t> take_positive_integer(const std::string& name);

  [[nodiscard]] const Members& rest() const noexcept { return members_; }

 private:
  Members members_;
};

std::optional<std::string> Envelope::take_text(const std::string& name) {
  auto value = take(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse_attribute(name, "must be a string");
  auto& text = value->get_ref<std::string&>();
  if (!detail::is_attribute_text(text)) {
    refuse_attribute(name, "must be text without control characters, lone surrogates and noncharacters");
  }
  return std::move(text);
}

std::optional<std::string> Envelope::take_filled_text(const std::string& name) {
  auto text = take_text(name);
  if (text && text->empty()) refuse_attribute(name, "must not be empty; leave it out instead");
  return text;
}

std::string Envelope::take_required(const std::string& name) {
  auto text = take_filled_text(name);
  if (!text) refuse_attribute(name, "is required");
  return *std::move(text);
}

bool is_int32(const Json& value) {
  if (value.is_number_unsigned()) {
    return value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int32_t>::max()};
  }
  if (!value.is_number_integer()) return false;
  const auto number = value.get<std::int64_t>();
  return number >= std::numeric_limits<std::int32_t>::min() &&
         number <= std::numeric_limits<std::int32_t>::max();
}

std::optional<std::int32_t> Envelope::take_positive_integer(const std::string& name) {
  const auto value = take(name);
  if (!value) return std::nullopt;
  if (!is_int32(*value) || value->get<std::int64_t>() < 1) {
    refuse_attribute(name, "must be an integer from 1 to 2147483647");
  }
  return value->get<std::int32_t>();
}

EventId parse_uuid(std::string_view name, std::string_view text) {
  const auto id = EventId::parse(text);
  if (!id || id->is_nil()) refuse_attribute(name, "must be a UUID other than the nil UUID");
  return *id;
}

using Entries = std::vector<ContextFields::Entry>;

/// An id that tidings may have given is the event's own; any other one is foreign, and so is one beside which
/// tidings' own stands. A UUID in another spelling is foreign too, since it goes out again as it came.
void read_id(Envelope& envelope, Metadata& metadata) {
  std::string id = envelope.take_required("id");
  const std::string own_name(detail::kOwnIdExtension);
  const auto own = envelope.take_filled_text(own_name);
  if (own) {
    metadata.event_id = parse_uuid(own_name, *own);
  } else if (const auto uuid = EventId::parse(id); uuid && !uuid->is_nil() && uuid->to_string() == id) {
    metadata.event_id = *uuid;
    return;
  }
  metadata.foreign_id = std::move(id);
}

void read_required(Envelope& envelope, CloudEvent& event) {
  if (envelope.take_required("specversion") != "1.0") {
    refuse_attribute("specversion", "must be \"1.0\": other versions are not supported");
  }
  event.type = envelope.take_required("type");
  read_id(envelope, event.metadata);
  std::string source = envelope.take_required("source");
  if (!is_uri_reference(source)) refuse_attribute("source", "must be a URI-reference (RFC 3986)");
  event.metadata.source = std::move(source);
}

void read_optional(Envelope& envelope, CloudEvent& event) {
  event.subject = envelope.take_filled_text("subject").value_or("");
  event.datacontenttype = envelope.take_filled_text("datacontenttype").value_or("");
  if (!event.datacontenttype.empty() && !detail::is_media_type(event.datacontenttype)) {
    refuse_attribute("datacontenttype", "must be a media type such as application/json");
  }
  event.dataschema = envelope.take_filled_text("dataschema").value_or("");
  if (!event.dataschema.empty() && !detail::is_absolute_uri(event.dataschema)) {
    refuse_attribute("dataschema", "must be an absolute URI (RFC 3986, section 4.3)");
  }
  if (const auto time = envelope.take_filled_text("time")) {
    const auto parsed = parse_rfc3339(*time);
    if (!parsed) refuse_attribute("time", "must be a time as RFC 3339 spells it: 2026-11-21T09:30:00Z");
    event.metadata.published_at = *parsed;
  }
}

/// Ids that tidings cannot have are kept as fields: they say nothing against the event.
void read_correlation(Envelope& envelope, CloudEvent& event, Entries& entries) {
  if (auto text = envelope.take_filled_text("correlationid")) {
    const auto id = CorrelationId::parse(*text);
    if (id) {
      event.metadata.correlation_id = *id;
    } else {
      entries.push_back({"foreign_correlation_id", *std::move(text)});
    }
  }
  if (auto text = envelope.take_filled_text("causationid")) {
    const auto id = EventId::parse(*text);
    if (id && !id->is_nil()) {
      event.metadata.causation_id = *id;
    } else {
      entries.push_back({"foreign_causation_id", *std::move(text)});
    }
  }
  if (const auto version = envelope.take_positive_integer("schemaversion")) event.schema_version = *version;
}

void read_trace(Envelope& envelope, CloudEvent& event) {
  const auto traceparent = envelope.take_text("traceparent");
  const auto tracestate = envelope.take_text("tracestate");
  if (traceparent) event.metadata.traceparent = TraceParent::parse(*traceparent);
  if (event.metadata.traceparent && tracestate) event.metadata.tracestate = limited_tracestate(*tracestate);
}

void read_data(Envelope& envelope, CloudEvent& event) {
  auto data = envelope.take_data();
  auto encoded = envelope.take("data_base64");
  if (data && encoded) refuse("it has both data and data_base64; only one of them is allowed");
  if (data && json_depth(*data) > kMaxJsonDepth) {
    refuse("its data nests deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  if (data) event.data = *std::move(data);
  if (!encoded) return;
  if (!encoded->is_string()) refuse_attribute("data_base64", "must be a string");
  auto bytes = detail::from_base64(encoded->get_ref<const std::string&>());
  if (!bytes) refuse_attribute("data_base64", "must be base64 (RFC 4648, section 4, padded)");
  event.binary = *std::move(bytes);
  event.has_binary = true;
}

ContextValue extension_value(const std::string& name, const Json& value) {
  if (value.is_number_integer() && !is_int32(value))
    refuse_attribute(name, "must be an integer of 32 bits, or text");
  auto scalar = value.is_number_float() ? std::nullopt : ContextValue::from_json(value);
  if (!scalar) refuse_attribute(name, "must be a string, a boolean or an integer");
  if (scalar->text() != nullptr && !detail::is_attribute_text(*scalar->text())) {
    refuse_attribute(name, "must be text without control characters, lone surrogates and noncharacters");
  }
  return *std::move(scalar);
}

/// The two documented extensions that tidings has no field for, but whose rules are known.
void check_known_extensions(Envelope& envelope, Entries& entries) {
  if (auto key = envelope.take_filled_text("partitionkey"))
    entries.push_back({"partitionkey", *std::move(key)});
  if (const auto rate = envelope.take_positive_integer("sampledrate"))
    entries.push_back({"sampledrate", *rate});
}

/// The fields that no extension attribute can carry.
void read_other_fields(Envelope& envelope, Entries& entries) {
  const std::string name(detail::kFieldsExtension);
  const auto text = envelope.take_text(name);
  if (!text) return;
  try {
    for (const auto& entry : detail::context_from_json(*text)) entries.push_back(entry);
  } catch (const Error& error) {
    refuse_attribute(name,
                     std::string("must be a JSON object of text, numbers and Booleans: ") + error.what());
  }
}

ContextFields read_extensions(Envelope& envelope, Entries&& entries) {
  read_other_fields(envelope, entries);
  check_known_extensions(envelope, entries);
  for (const auto& [name, value] : envelope.rest()) {
    if (!detail::is_attribute_name(name))
      refuse_attribute(name, "has a bad name: only a-z and 0-9 are allowed");
    if (!value.is_null()) entries.push_back({name, extension_value(name, value)});
  }
  return ContextFields::of_stored(std::move(entries));
}

CloudEvent read_envelope(Json&& json) {
  if (!json.is_object()) refuse("it is not a JSON object");
  Envelope envelope(std::move(json.get_ref<Members&>()));
  CloudEvent event;
  read_required(envelope, event);
  read_optional(envelope, event);
  Entries entries;
  read_correlation(envelope, event, entries);
  read_trace(envelope, event);
  read_data(envelope, event);
  event.metadata.fields = read_extensions(envelope, std::move(entries));
  return event;
}

Json read_text(std::string_view text, std::size_t levels_around_data) {
  try {
    return detail::read_json_text(text, kMaxJsonDepth + levels_around_data, detail::Duplicates::Refuse);
  } catch (const Error& error) {
    refuse(error.what());
  }
}

}  // namespace

CloudEvent from_cloudevent_json(const Json& envelope) { return read_envelope(detail::copy_json(envelope)); }

CloudEvent parse_cloudevent(std::string_view text) { return read_envelope(read_text(text, 1)); }

std::vector<CloudEvent> parse_cloudevent_batch(std::string_view text) {
  Json batch = read_text(text, 2);
  if (!batch.is_array()) refuse("a batch must be a JSON array");
  std::vector<CloudEvent> events;
  events.reserve(batch.size());
  for (Json& envelope : batch) {
    try {
      events.push_back(read_envelope(std::move(envelope)));
    } catch (const Error& error) {
      throw Error(error.code(), "event " + std::to_string(events.size()) + " of the batch: " + error.what());
    }
  }
  return events;
}

}  // namespace tidings
