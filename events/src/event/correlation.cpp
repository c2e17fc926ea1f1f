#include <tidings/correlation.hpp>

#include <tidings/clock.hpp>
#include <tidings/detail/quoted.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace tidings {
namespace {

CorrelationId fresh_id() { return CorrelationId(uuid_v7_source()->next(system_clock()->now())); }

CorrelationId require_valid(std::string_view text) {
  const auto id = CorrelationId::parse(text);
  if (id) return *id;
  throw Error(
      ErrorCode::InvalidArgument,
      "correlation id " + detail::quoted(text) +
          " is not 1 to 128 visible ASCII characters (0x21 to 0x7e); use CorrelationScope::from_headers for "
          "ids that come from outside");
}

CorrelationContext context_of(const CorrelationId& id) { return {.correlation_id = id}; }

CorrelationContext context_of(const Metadata& handled) {
  return {.correlation_id = handled.correlation_id,
          .causation_id = handled.event_id,
          .traceparent = handled.traceparent,
          .tracestate = handled.tracestate.str(),
          .causation_depth = handled.causation_depth + 1};
}

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return to_lower(a) == to_lower(b); });
}

std::vector<std::string_view> values_of(const Headers& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& header : headers) {
    if (same_name(header.first, name)) values.push_back(header.second);
  }
  return values;
}

std::optional<CorrelationId> first_valid_id(const Headers& headers) {
  for (const std::string_view name : {"X-Correlation-ID", "X-Request-ID"}) {
    for (const std::string_view value : values_of(headers, name)) {
      if (auto id = CorrelationId::parse(value)) return id;
    }
  }
  return std::nullopt;
}

/// W3C Trace Context, section 4.3: a request with more than one traceparent has none.
std::optional<TraceParent> inbound_traceparent(const Headers& headers) {
  const auto values = values_of(headers, "traceparent");
  return values.size() == 1 ? TraceParent::parse(values[0]) : std::nullopt;
}

/// Section 3.3: several tracestate headers are one list.
std::string inbound_tracestate(const Headers& headers) {
  std::string joined;
  for (const std::string_view value : values_of(headers, "tracestate")) {
    if (value.empty()) continue;
    if (!joined.empty()) joined += ',';
    joined += value;
  }
  return limited_tracestate(joined);
}

CorrelationContext inbound_context(const Headers& headers) {
  CorrelationContext context;
  context.traceparent = inbound_traceparent(headers);
  if (context.traceparent) context.tracestate = inbound_tracestate(headers);
  auto id = first_valid_id(headers);
  if (!id && context.traceparent) id = CorrelationId::parse(context.traceparent->trace_id_text());
  context.correlation_id = id ? *id : fresh_id();
  return context;
}

}  // namespace

std::optional<CorrelationId> current_correlation_id() {
  const detail::AmbientFrame* frame = detail::ambient_frame;
  if (frame == nullptr) return std::nullopt;
  const CorrelationId& id =
      frame->scope != nullptr ? frame->scope->correlation_id : frame->event->correlation_id;
  return id.empty() ? std::nullopt : std::optional(id);
}

std::optional<CorrelationContext> capture_correlation() {
  const detail::AmbientFrame* frame = detail::ambient_frame;
  if (frame == nullptr) return std::nullopt;
  return frame->scope != nullptr ? *frame->scope : context_of(*frame->event);
}

Headers outbound_headers() {
  const auto context = capture_correlation();
  if (!context) return {};
  Headers headers;
  if (!context->correlation_id.empty()) {
    headers.emplace_back("X-Correlation-ID", context->correlation_id.to_string());
  }
  if (context->traceparent) {
    headers.emplace_back("traceparent", context->traceparent->to_string());
    if (!context->tracestate.empty()) headers.emplace_back("tracestate", context->tracestate);
  }
  return headers;
}

CorrelationScope::CorrelationScope() : CorrelationScope(fresh_id()) {}
CorrelationScope::CorrelationScope(const CorrelationId& id) : CorrelationScope(context_of(id)) {}
CorrelationScope::CorrelationScope(std::string_view id) : CorrelationScope(require_valid(id)) {}

CorrelationScope::CorrelationScope(CorrelationContext context)
    : context_(std::move(context)), frame_{.scope = &context_, .previous = detail::ambient_frame} {
  detail::ambient_frame = &frame_;
}

CorrelationScope CorrelationScope::from_headers(const Headers& headers) {
  return CorrelationScope(inbound_context(headers));
}

CorrelationScope::~CorrelationScope() {
  // Any other order, or another thread, would leave a pointer to a dead frame behind.
  assert(detail::ambient_frame == &frame_);
  detail::ambient_frame = frame_.previous;
}

}  // namespace tidings
