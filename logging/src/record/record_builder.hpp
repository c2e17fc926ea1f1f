#pragma once

#include "record/field_list.hpp"

#include <tidings/correlation.hpp>
#include <tidings/logging/record.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tidings::logging::detail {

using tidings::detail::AmbientFrame;

/// Who names a record's own fields.
enum class Naming : std::uint8_t {
  Users,    ///< Reserved names get the suffix `_1`.
  Tidings,  ///< Reserved names set the reserved fields.
};

/// Fills a Record, level by level, from what surrounds it. Reused for many records; none of its views
/// outlives clear().
class RecordBuilder {
 public:
  void begin(Timestamp now, Level level, std::string_view event, std::string_view logger,
             std::string_view service);
  /// The fields of an own list win over those that are there, ambient ones do not.
  void add_bound(const FieldList& fields);
  void add_ambient(const FieldList& fields);
  /// The reserved fields of the ambient correlation scope and of the event being handled.
  void add_correlation_of(const AmbientFrame& frame);
  /// The handled event's attributes; like ambient fields, and once per record at most.
  void add_attributes_of(const AmbientFrame& frame);
  void add_own(std::span<const Field> fields, Naming naming);
  /// Runs lazy fields, so that they run once however many formats there are. One that throws becomes a text
  /// that says so.
  void evaluate_lazy_fields();
  /// Leaves nothing but the reserved fields and one field more.
  void reduce_to(std::string_view name, std::string_view text);
  void clear() noexcept;

  [[nodiscard]] Record& record() noexcept { return record_; }

 private:
  void add(std::string_view name, const Value& value, bool replace);
  void add_tidings_own(const Field& field);
  void add_correlation(const CorrelationId& id, const std::optional<EventId>& causation,
                       const std::optional<TraceParent>& trace);
  void add_event(const AmbientFrame& frame);
  void set(Reserved which, Value value);

  Record record_;
  std::array<Value, kReservedCount> reserved_values_;
  std::vector<Value> attribute_values_;
};

}  // namespace tidings::logging::detail
