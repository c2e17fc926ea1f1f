#include <tidings/cloudevents.hpp>

#include <tidings/detail/base64.hpp>
#include <tidings/detail/context_json.hpp>
#include <tidings/detail/quoted.hpp>

#include "json/json_builder.hpp"
#include "json/json_traits.hpp"
#include "text/attribute_text.hpp"
#include "text/media_type.hpp"
#include "text/uri.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace tidings {
namespace {

// What CloudEvents and tidings give a meaning: a field of that name cannot be an extension attribute.
constexpr std::array<std::string_view, 17> kTakenNames = {"id",
                                                          "source",
                                                          "specversion",
                                                          "type",
                                                          "datacontenttype",
                                                          "dataschema",
                                                          "subject",
                                                          "time",
                                                          "data",
                                                          "data_base64",
                                                          "correlationid",
                                                          "causationid",
                                                          "traceparent",
                                                          "tracestate",
                                                          "schemaversion",
                                                          detail::kOwnIdExtension,
                                                          detail::kFieldsExtension};

[[noreturn]] void refuse_writing(const std::string& problem) {
  throw Error(ErrorCode::NotEncodable, "not encodable as a CloudEvent: " + problem);
}

[[noreturn]] void refuse_writing_attribute(std::string_view name, const std::string& rule) {
  refuse_writing("attribute " + detail::quoted(name) + " " + rule);
}

void add_text(Json& envelope, const std::string& name, std::string_view text) {
  if (!detail::is_attribute_text(text)) {
    refuse_writing_attribute(name, "must be UTF-8 text without control characters and noncharacters");
  }
  envelope[name] = text;
}

void add_optional(Json& envelope, const std::string& name, std::string_view text) {
  if (!text.empty()) add_text(envelope, name, text);
}

/// The foreign id, if there is one: the receivers know the event by it.
void add_id(Json& envelope, const Metadata& metadata) {
  if (!metadata.foreign_id) {
    if (metadata.event_id.is_nil()) refuse_writing_attribute("id", "is required; the event has none yet");
    envelope["id"] = metadata.event_id.to_string();
    return;
  }
  if (metadata.foreign_id->empty()) refuse_writing_attribute("id", "must not be empty");
  add_text(envelope, "id", *metadata.foreign_id);
  if (!metadata.event_id.is_nil())
    envelope[std::string(detail::kOwnIdExtension)] = metadata.event_id.to_string();
}

void add_required(Json& envelope, const CloudEvent& event) {
  const Metadata& metadata = event.metadata;
  if (event.type.empty()) refuse_writing_attribute("type", "is required");
  add_id(envelope, metadata);
  if (!is_uri_reference(metadata.source)) {
    refuse_writing_attribute("source", "must be a non-empty URI-reference (RFC 3986)");
  }
  envelope["specversion"] = "1.0";
  add_text(envelope, "type", event.type);
  add_text(envelope, "source", metadata.source);
}

void add_described(Json& envelope, const CloudEvent& event) {
  add_optional(envelope, "subject", event.subject);
  if (!event.datacontenttype.empty() && !detail::is_media_type(event.datacontenttype)) {
    refuse_writing_attribute("datacontenttype", "must be a media type such as application/json");
  }
  add_optional(envelope, "datacontenttype", event.datacontenttype);
  if (!event.dataschema.empty() && !detail::is_absolute_uri(event.dataschema)) {
    refuse_writing_attribute("dataschema", "must be an absolute URI (RFC 3986, section 4.3)");
  }
  add_optional(envelope, "dataschema", event.dataschema);
  if (event.metadata.published_at != Timestamp{}) envelope["time"] = to_rfc3339(event.metadata.published_at);
  if (event.schema_version < 1) refuse_writing_attribute("schemaversion", "must be 1 or more");
  if (event.schema_version > 1) envelope["schemaversion"] = event.schema_version;
}

void add_correlation(Json& envelope, const Metadata& metadata) {
  add_optional(envelope, "correlationid", metadata.correlation_id.to_string());
  if (metadata.causation_id) envelope["causationid"] = metadata.causation_id->to_string();
  if (!metadata.traceparent) return;
  envelope["traceparent"] = metadata.traceparent->to_string();
  if (is_valid_tracestate(metadata.tracestate)) add_optional(envelope, "tracestate", metadata.tracestate);
}

bool fits_int32(const ContextValue& value) noexcept {
  const auto* number = std::get_if<std::int64_t>(&value.storage());
  return number != nullptr && std::in_range<std::int32_t>(*number);
}

/// Whether the type system of CloudEvents has the value: a String, a Boolean or an Integer, which is one of
/// 32 bits.
bool has_portable_type(const ContextValue& value) noexcept {
  if (value.text() != nullptr) return detail::is_attribute_text(*value.text());
  return std::holds_alternative<bool>(value.storage()) || fits_int32(value);
}

/// Whether the documented extensions give the name a type, and the value has another.
bool breaks_documented_extension(std::string_view name, const ContextValue& value) noexcept {
  if (name == "sampledrate") return !fits_int32(value) || std::get<std::int64_t>(value.storage()) < 1;
  if (name == "partitionkey") return value.text() == nullptr || value.text()->empty();
  return false;
}

bool is_extension(std::string_view name, const ContextValue& value) noexcept {
  return detail::is_attribute_name(name) && has_portable_type(value) &&
         !breaks_documented_extension(name, value) &&
         std::find(kTakenNames.begin(), kTakenNames.end(), name) == kTakenNames.end();
}

/// A field is an extension attribute if it can be one; the others travel together in an extension of tidings'
/// own.
void add_fields(Json& envelope, const ContextFields& fields) {
  std::vector<ContextFields::Entry> others;
  for (const auto& entry : fields) {
    if (is_extension(entry.name, entry.value)) {
      envelope[entry.name] = entry.value.to_json();
    } else {
      others.push_back(entry);
    }
  }
  if (others.empty()) return;
  add_text(envelope, std::string(detail::kFieldsExtension),
           detail::context_to_json(ContextFields::of_stored(std::move(others))));
}

void add_data(Json& envelope, const CloudEvent& event) {
  if (event.has_binary) {
    if (!event.data.is_discarded())
      refuse_writing("it has both data and binary data; only one of them is allowed");
    envelope["data_base64"] = detail::to_base64(event.binary);
    return;
  }
  if (event.data.is_discarded()) return;
  const detail::JsonTraits traits = detail::examine_json(event.data);
  if (traits.depth > kMaxJsonDepth) {
    refuse_writing("its data nests deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  if (!traits.fits_json()) {
    refuse_writing(
        "its data holds what JSON cannot carry (invalid UTF-8, NaN, infinity or bytes); hand it over as "
        "binary data");
  }
  envelope["data"] = detail::copy_json(event.data);
}

}  // namespace

Json to_cloudevent_json(const CloudEvent& event) {
  Json envelope = Json::object();
  add_required(envelope, event);
  add_described(envelope, event);
  add_correlation(envelope, event.metadata);
  add_fields(envelope, event.metadata.fields);
  add_data(envelope, event);
  return envelope;
}

}  // namespace tidings
