#include <tidings/detail/kept_metadata.hpp>

namespace tidings::detail {

KeptMetadata::KeptMetadata(const Metadata& metadata, std::string_view bus_source)
    : event_id_(metadata.event_id),
      published_at_(metadata.published_at),
      causation_depth_(metadata.causation_depth),
      has_cause_(metadata.causation_id.has_value()) {
  if (has_cause_) causation_id_ = *metadata.causation_id;
  const auto correlation = metadata.correlation_id.uuid();
  if (correlation) correlation_id_ = *correlation;
  const bool nothing_else = correlation && !metadata.traceparent && metadata.tracestate.empty() &&
                            metadata.attributes.empty() && metadata.source.view() == bus_source;
  if (!nothing_else) whole_ = std::make_unique<const Metadata>(metadata);
}

}  // namespace tidings::detail
