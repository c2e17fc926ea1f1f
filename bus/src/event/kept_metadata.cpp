#include <tidings/detail/kept_metadata.hpp>

namespace tidings::detail {

namespace {

/// Mostly both are the same memory, so that is compared first.
bool same_text(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() && (left.data() == right.data() || left == right);
}

}  // namespace

KeptMetadata::KeptMetadata(const Metadata& metadata, std::string_view bus_source)
    : event_id_(metadata.event_id),
      published_at_(metadata.published_at),
      causation_depth_(metadata.causation_depth) {
  if (metadata.causation_id) causation_id_ = *metadata.causation_id;
  const bool cause_is_nil = metadata.causation_id && metadata.causation_id->is_nil();
  const auto correlation = metadata.correlation_id.uuid();
  if (correlation) correlation_id_ = *correlation;
  const bool nothing_else = correlation && !cause_is_nil && !metadata.traceparent &&
                            metadata.tracestate.empty() && metadata.fields.empty() && !metadata.foreign_id &&
                            metadata.max_attempts == 0 && same_text(metadata.source, bus_source);
  if (!nothing_else) whole_ = std::make_unique<const Metadata>(metadata);
}

}  // namespace tidings::detail
