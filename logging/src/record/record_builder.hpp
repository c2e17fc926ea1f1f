#pragma once

#include "record/field_list.hpp"

#include <tidings/context.hpp>
#include <tidings/logging/process_fields.hpp>
#include <tidings/logging/record.hpp>
#include <tidings/logging/source_location.hpp>

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
  Users,    ///< Names of reserved fields that the record has get the suffix `_1`.
  Tidings,  ///< Reserved names set the reserved fields.
};

/// Fills a Record, level by level, from what surrounds it. Reused for many records; none of its views
/// outlives clear().
class RecordBuilder {
 public:
  void begin(Timestamp now, Level level, std::string_view event, std::string_view logger,
             std::string_view service);
  /// What `which` asks for of the process and the calling thread.
  void add_process(const ProcessFields& which);
  /// When, and in which thread, it happened that another thread makes a record of now.
  void set_origin(Timestamp time, std::int64_t thread);
  void add_source(const SourceLocation& source);
  /// The fields of a logger's own list win over those that are there, those of the context do not.
  void add_bound(const FieldList& fields);
  /// The reserved fields of the current context and of the event being handled.
  void add_correlation_of(const AmbientFrame& frame);
  /// What the running handler has bound, then the fields of the current context; once per record at most.
  void add_context_of(const AmbientFrame& frame);
  void add_own(std::span<const Field> fields, Naming naming);
  /// Renames fields that have the name of a reserved field that is there. To be called when all have been
  /// added.
  void finish();
  /// Runs lazy fields, so that they run once however many formats there are. One that throws becomes a text
  /// that says so.
  void evaluate_lazy_fields();
  /// Leaves nothing but the reserved fields and one field more.
  void reduce_to(std::string_view name, std::string_view text);
  void clear() noexcept;

  [[nodiscard]] Record& record() noexcept { return record_; }

 private:
  void add(std::string_view name, const Value& value, bool replace);
  void add_fields(const ContextFields& fields);
  void add_tidings_own(const Field& field);
  void add_correlation(const CorrelationId& id, const std::optional<EventId>& causation,
                       const TraceParent* trace);
  void add_event(const AmbientFrame& frame);
  void set(Reserved which, Value value);

  Record record_;
  std::array<Value, kReservedCount> reserved_values_;
  std::vector<Value> context_values_;
  bool has_reserved_names_ = false;
};

}  // namespace tidings::logging::detail
