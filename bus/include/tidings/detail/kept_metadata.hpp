#pragma once

#include <tidings/metadata.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace tidings::detail {

/// The metadata of an event that waits for its handlers. A queue is as fast as the memory it touches, so the
/// fields that most events have take a fifth of the size of Metadata. A trace, context fields, a source of
/// the publish's own, a foreign id, a limit of attempts, and a correlation id that is not a UUID are kept
/// separately.
class KeptMetadata {
 public:
  /// `bus_source` is the bus's default source for events; no event keeps a copy of it.
  KeptMetadata(const Metadata& metadata, std::string_view bus_source);

  /// The complete metadata, as given: either kept whole here, or assembled in `buffer`, which must be
  /// default-constructed. Refers to this object and to `bus_source`, which must be that of the constructor.
  [[nodiscard]] const Metadata& read(std::string_view bus_source, Metadata& buffer) const {
    if (whole_) return *whole_;
    buffer.event_id = event_id_;
    buffer.correlation_id = CorrelationId(correlation_id_);
    if (!causation_id_.is_nil()) buffer.causation_id = causation_id_;
    buffer.published_at = published_at_;
    buffer.source = Text::borrow(bus_source);
    buffer.causation_depth = causation_depth_;
    return buffer;
  }

 private:
  EventId event_id_;
  EventId correlation_id_;
  EventId causation_id_;  // nil: none
  Timestamp published_at_;
  /// Null: everything is in the other members.
  std::unique_ptr<const Metadata> whole_;
  std::uint32_t causation_depth_;
};

}  // namespace tidings::detail
