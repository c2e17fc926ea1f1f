#include <tidings/context.hpp>

#include <tidings/clock.hpp>
#include <tidings/detail/quoted.hpp>
#include <tidings/error.hpp>

#include "text/trimmed.hpp"

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
          " is not 1 to 128 visible ASCII characters (0x21 to 0x7e); use Context::from_headers for ids that "
          "come from outside");
}

Context context_of(const Metadata& handled) {
  return {.correlation_id = handled.correlation_id,
          .causation_id = handled.event_id,
          .traceparent = handled.traceparent,
          .tracestate = handled.tracestate.str(),
          .fields = handled.fields,
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

std::optional<CorrelationId> first_valid_id(const Headers& headers, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const std::string_view value : values_of(headers, name)) {
      if (auto id = CorrelationId::parse(detail::trimmed(value))) return id;
    }
  }
  return std::nullopt;
}

/// W3C Trace Context, section 4.3: a request with more than one traceparent has none.
std::optional<TraceParent> inbound_traceparent(const Headers& headers, const HeaderNames& names) {
  const auto values = values_of(headers, names.traceparent);
  return values.size() == 1 ? TraceParent::parse(detail::trimmed(values[0])) : std::nullopt;
}

/// Section 3.3: several tracestate headers are one list.
std::string inbound_tracestate(const Headers& headers, const HeaderNames& names) {
  std::string joined;
  for (const std::string_view value : values_of(headers, names.tracestate)) {
    if (value.empty()) continue;
    if (!joined.empty()) joined += ',';
    joined += value;
  }
  return limited_tracestate(joined);
}

Headers id_headers(const CorrelationId& id, const HeaderNames& names) {
  Headers headers;
  if (id.empty()) return headers;
  for (const std::string& name : names.outbound) headers.emplace_back(name, id.to_string());
  return headers;
}

}  // namespace

const HeaderNames& HeaderNames::standard() {
  static const auto* const names = new HeaderNames;  // never destroyed: destructors of statics may publish
  return *names;
}

Context Context::current() {
  const detail::AmbientFrame* frame = detail::ambient_frame;
  if (frame == nullptr) return {};
  Context context = frame->scope != nullptr ? *frame->scope : context_of(*frame->event);
  if (frame->span == nullptr) return context;
  context.traceparent = *frame->span;
  context.tracestate = frame->tracestate();
  return context;
}

Context Context::fresh() { return {.correlation_id = fresh_id()}; }

Context Context::from_id(std::string_view correlation_id) {
  return {.correlation_id = require_valid(correlation_id)};
}

Context Context::from_headers(const Headers& headers, const HeaderNames& names) {
  Context context;
  context.traceparent = inbound_traceparent(headers, names);
  if (context.traceparent) context.tracestate = inbound_tracestate(headers, names);
  auto id = first_valid_id(headers, names.inbound);
  if (!id && context.traceparent) id = CorrelationId::parse(context.traceparent->trace_id_text());
  context.correlation_id = id ? *id : fresh_id();
  return context;
}

Context Context::with(std::string_view name, ContextValue value) const {
  return with({{name, std::move(value)}});
}

Context Context::with(std::initializer_list<ContextField> further) const {
  Context extended = *this;
  extended.fields = fields.with(further);
  return extended;
}

Headers Context::outbound_headers(const HeaderNames& names) const {
  Headers headers = id_headers(correlation_id, names);
  if (!traceparent) return headers;
  headers.emplace_back(names.traceparent, traceparent->to_string());
  if (!tracestate.empty()) headers.emplace_back(names.tracestate, tracestate);
  return headers;
}

Headers Context::response_headers(const HeaderNames& names) const {
  Headers headers = id_headers(correlation_id, names);
  if (headers.empty()) return headers;
  std::string exposed;
  for (const auto& header : headers) exposed += (exposed.empty() ? "" : ", ") + header.first;
  headers.emplace_back("Access-Control-Expose-Headers", std::move(exposed));
  return headers;
}

ContextScope::ContextScope(Context context)
    : context_(std::move(context)), frame_{.scope = &context_, .previous = detail::ambient_frame} {
  detail::ambient_frame = &frame_;
}

ContextScope::ContextScope(std::initializer_list<ContextField> further)
    : ContextScope(Context::current().with(further)) {}

ContextScope::~ContextScope() {
  // Any other order, or another thread, would leave a pointer to a dead frame behind.
  assert(detail::ambient_frame == &frame_);
  detail::ambient_frame = frame_.previous;
}

}  // namespace tidings
