#include "otlp/messages.hpp"

#include "otlp/json_writer.hpp"
#include "otlp/protobuf_writer.hpp"

#include <tidings/version.hpp>

#include <cstddef>
#include <type_traits>
#include <variant>
#include <vector>

namespace tidings::telemetry {
namespace {

// The fields are those of opentelemetry/proto/*/v1/*.proto, in the order of their numbers.

constexpr std::string_view kScope = "tidings";

/// Of Span and Link: what is in the byte of `traceparent`, that the next bit is known, and the next bit.
constexpr std::uint32_t kRemoteIsKnown = 0x100;
constexpr std::uint32_t kIsRemote = 0x200;

constexpr std::uint32_t kCumulative = 2;

struct WriteValue {
  template <class Writer>
  void operator()(Writer& to, const AttributeValue& value) const {
    std::visit(
        [&](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, std::string>) to.text_anyway({1, "stringValue"}, held);
          if constexpr (std::is_same_v<Held, bool>) to.boolean_anyway({2, "boolValue"}, held);
          if constexpr (std::is_same_v<Held, std::int64_t>) to.integer_anyway({3, "intValue"}, held);
          if constexpr (std::is_same_v<Held, double>) to.real_anyway({4, "doubleValue"}, held);
        },
        value);
  }
};

template <class Writer>
void write_attributes(Writer& to, OtlpField field, const Attributes& attributes) {
  to.messages(field, attributes, [](Writer& pair, const Attribute& attribute) {
    pair.text({1, "key"}, attribute.name);
    pair.message({2, "value"}, [&](Writer& value) { WriteValue()(value, attribute.value); });
  });
}

template <class Writer>
void write_resource(Writer& to, const Resource& resource) {
  to.message({1, "resource"}, [&](Writer& message) {
    write_attributes(message, {1, "attributes"}, resource.attributes);
  });
}

template <class Writer>
void write_scope(Writer& to, std::string_view name) {
  to.message({1, "scope"}, [&](Writer& message) {
    message.text({1, "name"}, name);
    message.text({2, "version"}, version());
  });
}

template <class Writer>
void write_event(Writer& to, const SpanEvent& event) {
  to.fixed64({1, "timeUnixNano"}, event.time_ns);
  to.text({2, "name"}, event.name);
  write_attributes(to, {3, "attributes"}, event.attributes);
  to.number({4, "droppedAttributesCount"}, event.dropped_attributes);
}

template <class Writer>
void write_link(Writer& to, const SpanLink& link) {
  to.id({1, "traceId"}, link.context.trace_id.bytes);
  to.id({2, "spanId"}, link.context.span_id.bytes);
  to.text({3, "traceState"}, link.context.tracestate);
  write_attributes(to, {4, "attributes"}, link.attributes);
  to.number({5, "droppedAttributesCount"}, link.dropped_attributes);
  to.fixed32({6, "flags"}, link.context.trace_flags);
}

template <class Writer>
void write_status(Writer& to, const SpanData& span) {
  if (span.status == SpanStatus::Unset) return;
  to.message({15, "status"}, [&](Writer& status) {
    status.text({2, "message"}, span.status_message);
    status.number({3, "code"}, static_cast<std::uint32_t>(span.status));
  });
}

template <class Writer>
void write_span(Writer& to, const SpanData& span) {
  to.id({1, "traceId"}, span.context.trace_id.bytes);
  to.id({2, "spanId"}, span.context.span_id.bytes);
  to.text({3, "traceState"}, span.context.tracestate);
  to.id({4, "parentSpanId"}, span.parent_span_id.bytes);
  to.text({5, "name"}, span.name);
  to.number({6, "kind"}, static_cast<std::uint32_t>(span.kind));
  to.fixed64({7, "startTimeUnixNano"}, span.start_ns);
  to.fixed64({8, "endTimeUnixNano"}, span.end_ns);
  write_attributes(to, {9, "attributes"}, span.attributes);
  to.number({10, "droppedAttributesCount"}, span.dropped.attributes);
  to.messages({11, "events"}, span.events, write_event<Writer>);
  to.number({12, "droppedEventsCount"}, span.dropped.events);
  to.messages({13, "links"}, span.links, write_link<Writer>);
  to.number({14, "droppedLinksCount"}, span.dropped.links);
  write_status(to, span);
  to.fixed32({16, "flags"},
             span.context.trace_flags | (span.parent_is_remote ? kRemoteIsKnown | kIsRemote : 0));
}

template <class Writer>
void write_log(Writer& to, const LogData& log) {
  to.fixed64({1, "timeUnixNano"}, log.time_ns);
  to.number({2, "severityNumber"}, static_cast<std::uint32_t>(log.severity));
  to.text({3, "severityText"}, log.severity_text);
  if (!log.body.empty())
    to.message({5, "body"}, [&](Writer& body) { body.text_anyway({1, "stringValue"}, log.body); });
  write_attributes(to, {6, "attributes"}, log.attributes);
  to.number({7, "droppedAttributesCount"}, log.dropped_attributes);
  to.fixed32({8, "flags"}, log.context.trace_flags);
  to.id({9, "traceId"}, log.context.trace_id.bytes);
  to.id({10, "spanId"}, log.context.span_id.bytes);
  to.fixed64({11, "observedTimeUnixNano"}, log.observed_ns);
  to.text({12, "eventName"}, log.event_name);
}

template <class Writer>
void write_number_point(Writer& to, const MetricData& metric, const NumberPoint& point) {
  to.fixed64({2, "startTimeUnixNano"}, std::holds_alternative<Gauge>(metric.data) ? 0 : metric.start_ns);
  to.fixed64({3, "timeUnixNano"}, metric.time_ns);
  if (const double* real = std::get_if<double>(&point.value)) {
    to.real_anyway({4, "asDouble"}, *real);
  } else {
    to.sfixed64_anyway({6, "asInt"}, std::get<std::int64_t>(point.value));
  }
  write_attributes(to, {7, "attributes"}, point.attributes);
}

template <class Writer>
void write_exemplar(Writer& to, const MetricExemplar& exemplar) {
  to.fixed64({2, "timeUnixNano"}, exemplar.time_ns);
  to.real_anyway({3, "asDouble"}, exemplar.value);
  to.id({4, "spanId"}, exemplar.span_id.bytes);
  to.id({5, "traceId"}, exemplar.trace_id.bytes);
}

template <class Writer>
void write_histogram_point(Writer& to, const MetricData& metric, const HistogramPoint& point) {
  to.fixed64({2, "startTimeUnixNano"}, metric.start_ns);
  to.fixed64({3, "timeUnixNano"}, metric.time_ns);
  to.fixed64({4, "count"}, point.count);
  to.real_anyway({5, "sum"}, point.sum);
  to.fixed64s({6, "bucketCounts"}, point.bucket_counts);
  to.reals({7, "explicitBounds"}, point.bounds);
  to.messages({8, "exemplars"}, point.exemplars, write_exemplar<Writer>);
  write_attributes(to, {9, "attributes"}, point.attributes);
  if (point.min) to.real_anyway({11, "min"}, *point.min);
  if (point.max) to.real_anyway({12, "max"}, *point.max);
}

template <class Writer>
void write_metric_data(Writer& to, const MetricData& metric, const Gauge& gauge) {
  to.message({5, "gauge"}, [&](Writer& message) {
    message.messages({1, "dataPoints"}, gauge.points, [&](Writer& point, const NumberPoint& number) {
      write_number_point(point, metric, number);
    });
  });
}

template <class Writer>
void write_metric_data(Writer& to, const MetricData& metric, const Sum& sum) {
  to.message({7, "sum"}, [&](Writer& message) {
    message.messages({1, "dataPoints"}, sum.points, [&](Writer& point, const NumberPoint& number) {
      write_number_point(point, metric, number);
    });
    message.number({2, "aggregationTemporality"}, kCumulative);
    message.boolean({3, "isMonotonic"}, sum.monotonic);
  });
}

template <class Writer>
void write_metric_data(Writer& to, const MetricData& metric, const Histogram& histogram) {
  to.message({9, "histogram"}, [&](Writer& message) {
    message.messages({1, "dataPoints"}, histogram.points, [&](Writer& point, const HistogramPoint& measured) {
      write_histogram_point(point, metric, measured);
    });
    message.number({2, "aggregationTemporality"}, kCumulative);
  });
}

template <class Writer>
void write_metric(Writer& to, const MetricData& metric) {
  to.text({1, "name"}, metric.name);
  to.text({2, "description"}, metric.description);
  to.text({3, "unit"}, metric.unit);
  std::visit([&](const auto& data) { write_metric_data(to, metric, data); }, metric.data);
}

/// What is of one scope.
template <class Item>
struct ScopeGroup {
  std::string_view name;
  std::span<const Item> items;
};

/// Records that follow each other and are of the same logger.
std::vector<ScopeGroup<LogData>> by_logger(std::span<const LogData> logs) {
  std::vector<ScopeGroup<LogData>> groups;
  for (std::size_t begin = 0, end = 0; begin < logs.size(); begin = end) {
    while (end < logs.size() && logs[end].logger == logs[begin].logger) ++end;
    groups.push_back({logs[begin].logger, logs.subspan(begin, end - begin)});
  }
  return groups;
}

/// The three levels that all signals have: resource, scope, item.
struct Envelope {
  OtlpField resources;
  OtlpField scopes;
  OtlpField items;
};

template <class Writer, class Item>
void write_request(Writer& to, const Envelope& fields, const Resource& resource,
                   std::span<const ScopeGroup<Item>> groups, void (*write)(Writer&, const Item&)) {
  to.messages(fields.resources, std::span(&resource, 1), [&](Writer& message, const Resource& one) {
    write_resource(message, one);
    message.messages(fields.scopes, groups, [&](Writer& scope, const ScopeGroup<Item>& group) {
      write_scope(scope, group.name);
      scope.messages(fields.items, group.items, write);
    });
  });
}

template <class Item>
std::string encode(const Envelope& fields, const Resource& resource, std::span<const ScopeGroup<Item>> groups,
                   OtlpEncoding encoding, void (*as_protobuf)(ProtobufWriter&, const Item&),
                   void (*as_json)(JsonWriter&, const Item&)) {
  std::string out;
  if (encoding == OtlpEncoding::Protobuf) {
    ProtobufWriter writer(out);
    write_request(writer, fields, resource, groups, as_protobuf);
  } else {
    JsonWriter writer(out);
    write_request(writer, fields, resource, groups, as_json);
    writer.finish();
  }
  return out;
}

}  // namespace

std::string encode_spans(std::span<const SpanData> spans, const Resource& resource, OtlpEncoding encoding) {
  const ScopeGroup<SpanData> group{kScope, spans};
  return encode<SpanData>({{1, "resourceSpans"}, {2, "scopeSpans"}, {2, "spans"}}, resource, {&group, 1},
                          encoding, write_span<ProtobufWriter>, write_span<JsonWriter>);
}

std::string encode_logs(std::span<const LogData> logs, const Resource& resource, OtlpEncoding encoding) {
  const std::vector<ScopeGroup<LogData>> groups = by_logger(logs);
  return encode<LogData>({{1, "resourceLogs"}, {2, "scopeLogs"}, {2, "logRecords"}}, resource, groups,
                         encoding, write_log<ProtobufWriter>, write_log<JsonWriter>);
}

std::string encode_metrics(std::span<const MetricData> metrics, const Resource& resource,
                           OtlpEncoding encoding) {
  const ScopeGroup<MetricData> group{kScope, metrics};
  return encode<MetricData>({{1, "resourceMetrics"}, {2, "scopeMetrics"}, {2, "metrics"}}, resource,
                            {&group, 1}, encoding, write_metric<ProtobufWriter>, write_metric<JsonWriter>);
}

}  // namespace tidings::telemetry
