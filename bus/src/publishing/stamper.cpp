#include "publishing/stamper.hpp"

#include <tidings/context.hpp>
#include <tidings/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::detail {

namespace {

void require_source(std::string_view source) {
  if (is_valid_source(source)) return;
  throw Error(ErrorCode::InvalidArgument,
              "source must be a URI-reference of at most 1024 characters, such as 'orders' or '/shop/eu'");
}

void require_foreign_id(std::string_view id) {
  if (is_foreign_id(id)) return;
  throw Error(ErrorCode::InvalidArgument,
              "foreign_id must be 1 to " + std::to_string(kMaxForeignId) +
                  " bytes of UTF-8 without control characters and noncharacters; nothing was delivered");
}

CorrelationId require_correlation_id(std::string_view text) {
  if (const auto id = CorrelationId::parse(text)) return *id;
  throw Error(ErrorCode::InvalidArgument,
              "correlation_id must be 1 to 128 visible ASCII characters; leave it empty to inherit that of "
              "the context");
}

std::uint32_t require_max_attempts(std::uint32_t attempts) {
  if (attempts > 0) return attempts;
  throw Error(ErrorCode::InvalidArgument,
              "max_attempts counts the first attempt too and must be at least 1; nothing was delivered");
}

/// Ids and facts of the current context. The fields are shared, the tracestate is borrowed: nothing is
/// allocated.
void inherit(Metadata& metadata, const AmbientFrame& ambient) {
  metadata.fields = ambient.fields();
  if (const TraceParent* const trace = ambient.traceparent()) metadata.traceparent = *trace;
  metadata.tracestate = Text::borrow(ambient.tracestate());
  if (ambient.event != nullptr) {
    metadata.correlation_id = ambient.event->correlation_id;
    metadata.causation_id = ambient.event->event_id;
    metadata.causation_depth = ambient.event->causation_depth + 1;
  } else {
    const CorrelationId& id = ambient.scope->correlation_id;
    metadata.correlation_id = id.empty() ? CorrelationId(metadata.event_id) : id;
    metadata.causation_id = ambient.scope->causation_id;
    metadata.causation_depth = ambient.scope->causation_depth;
  }
}

void apply(const PublishOptions& options, Metadata& metadata) {
  if (!options.correlation_id.empty())
    metadata.correlation_id = require_correlation_id(options.correlation_id);
  if (options.traceparent) {
    metadata.traceparent = options.traceparent;
    metadata.tracestate = is_valid_tracestate(options.tracestate)
                              ? Text::borrow(options.tracestate)
                              : Text(limited_tracestate(options.tracestate));
  }
  if (!options.fields.empty()) metadata.fields = metadata.fields.with(options.fields);
  if (!options.source.empty()) {
    require_source(options.source);
    metadata.source = Text::borrow(options.source);
  }
  if (!options.foreign_id.empty()) {
    require_foreign_id(options.foreign_id);
    metadata.foreign_id = options.foreign_id;
  }
  if (options.max_attempts) metadata.max_attempts = require_max_attempts(*options.max_attempts);
}

}  // namespace

/// One clock read, one id, no text and no allocation, unless the options ask for more. The ids are written to
/// the result too while they are in registers: copying them from the metadata would wait until the
/// processor has written those to its cache, which is more than stamping costs otherwise.
Metadata Stamper::stamp(const PublishOptions& options, PublishResult& result) const {
  Metadata metadata;  // not filled by an initialiser list, which would clear all 128 bytes of an id first
  metadata.source = Text::borrow(source_);  // before any call: the compiler knows that there is none yet
  metadata.published_at = clock_.now();
  const EventId id = ids_.next(metadata.published_at);
  metadata.event_id = id;
  result.event_id = id;
  if (ambient_frame == nullptr) {
    metadata.correlation_id = CorrelationId(id);
    result.correlation_id = CorrelationId(id);
  } else {
    inherit(metadata, *ambient_frame);
    result.correlation_id = metadata.correlation_id;
  }
  if (&options != &kNoPublishOptions) {
    apply(options, metadata);
    result.correlation_id = metadata.correlation_id;
  }
  return metadata;
}

}  // namespace tidings::detail
