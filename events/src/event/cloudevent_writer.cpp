#include <tidings/cloudevents.hpp>

#include <tidings/detail/base64.hpp>
#include <tidings/detail/quoted.hpp>

#include "json/json_builder.hpp"
#include "json/json_traits.hpp"
#include "text/attribute_text.hpp"
#include "text/media_type.hpp"
#include "text/uri.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace tidings {
namespace {

// What the members of CloudEvent stand for, and so no attribute may be called.
constexpr std::array<std::string_view, 14> kTakenNames = {
    "id",   "source", "specversion",   "type",        "datacontenttype", "dataschema", "subject",
    "time", "data",   "correlationid", "causationid", "traceparent",     "tracestate", "schemaversion"};

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

void add_required(Json& envelope, const CloudEvent& event) {
  const Metadata& metadata = event.metadata;
  if (event.type.empty()) refuse_writing_attribute("type", "is required");
  if (metadata.event_id.is_nil()) refuse_writing_attribute("id", "is required; the event has none yet");
  if (!is_uri_reference(metadata.source)) {
    refuse_writing_attribute("source", "must be a non-empty URI-reference (RFC 3986)");
  }
  envelope["specversion"] = "1.0";
  envelope["id"] = metadata.event_id.to_string();
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

/// The one documented extension that is an integer, and so was read from one.
void add_sampled_rate(Json& envelope, const std::string& text) {
  std::int32_t rate = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, rate);
  if (result.ec != std::errc() || result.ptr != end || rate < 1) {
    refuse_writing_attribute("sampledrate", "must be an integer from 1 to 2147483647");
  }
  envelope["sampledrate"] = rate;
}

void add_extension(Json& envelope, const std::string& name, const std::string& value) {
  if (!detail::is_attribute_name(name))
    refuse_writing_attribute(name, "has a bad name: only a-z and 0-9 are allowed");
  if (std::find(kTakenNames.begin(), kTakenNames.end(), name) != kTakenNames.end()) {
    refuse_writing_attribute(name, "has a name that CloudEvents or tidings gives a meaning");
  }
  if (envelope.contains(name)) refuse_writing_attribute(name, "is given twice");
  if (name == "sampledrate") return add_sampled_rate(envelope, value);
  if (name == "partitionkey" && value.empty()) refuse_writing_attribute(name, "must not be empty");
  add_text(envelope, name, value);
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
  for (const auto& [name, value] : event.metadata.attributes) add_extension(envelope, name, value);
  add_data(envelope, event);
  return envelope;
}

}  // namespace tidings
