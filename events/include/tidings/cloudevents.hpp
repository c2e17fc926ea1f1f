#pragma once

#include <tidings/event.hpp>
#include <tidings/metadata.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidings {

/// An event as it crosses a boundary: CloudEvents 1.0, JSON format, structured mode.
struct CloudEvent {
  std::string type;
  int schema_version = 1;
  /// `id` is `foreign_id`, unless tidings itself made it: then it is `event_id`, which is nil for an event
  /// that tidings has not published yet. `published_at` is the attribute `time`; the epoch stands for its
  /// absence. An absent correlation id stays unset. `fields` holds every extension that has no member here.
  /// They may break the narrower rules of ContextFields, which publish applies.
  Metadata metadata = {};
  /// `data`. Json::value_t::discarded means absent, which differs from null.
  Json data = Json(Json::value_t::discarded);
  /// `data_base64`, decoded; only when `has_binary` (then `data` is absent).
  std::string binary = {};
  bool has_binary = false;
  /// Other context attributes; empty: absent.
  std::string subject = {};
  std::string datacontenttype = {};
  std::string dataschema = {};
};

/// Warn about envelopes above this: intermediaries need not forward more (CloudEvents 1.0, "Size Limits").
inline constexpr std::size_t kMaxPortableCloudEvent = 64 * 1024;

/// The envelope. Correlation, causation, trace and context fields stand beside `type` as extension attributes
/// (`correlationid`, `causationid`, `traceparent`, `tracestate`, and those of the fields' own names). An
/// event with a foreign id goes out under that, and its `event_id` is the extension `tidingsid`. Fields that
/// CloudEvents has no name or type for (a name with `_` or with a meaning of its own, an integer beyond 32
/// bits, a floating-point number) travel in the extension `contextfields`, a JSON object as text. A schema
/// version above 1 is the extension `schemaversion`, since tidings cannot invent a `dataschema` URI. Throws
/// Error(NotEncodable), naming the attribute and the rule, when the envelope would break the specification,
/// for data that JSON cannot represent (pass that as `binary`), and for data nested deeper than
/// kMaxJsonDepth. The envelope adds one level to the depth of its data; print it with dump().
[[nodiscard]] Json to_cloudevent_json(const CloudEvent& event);
/// Strict: throws Error(NotDecodable), naming the attribute and the rule, on anything the specification
/// forbids. An invalid `traceparent` is ignored with its `tracestate`; a `tracestate` without a `traceparent`
/// is dropped, and any other is kept as limited_tracestate describes. An `id` may be any text that
/// CloudEvents allows: one that is not a UUID as tidings spells it becomes the foreign id. A `causationid`
/// that is not a UUID is kept as the context field `foreign_causation_id`, and a `correlationid` that is not
/// 1 to 128 visible ASCII characters as `foreign_correlation_id`. A `tidingsid` that is not a UUID is
/// refused.
[[nodiscard]] CloudEvent from_cloudevent_json(const Json& envelope);
/// As above, from text: one event. Refuses duplicate keys too, which would make the envelope ambiguous.
[[nodiscard]] CloudEvent parse_cloudevent(std::string_view text);
/// A batch: a JSON array, possibly empty. The message of an error says which event it is about, counting from
/// 0.
[[nodiscard]] std::vector<CloudEvent> parse_cloudevent_batch(std::string_view text);

}  // namespace tidings
