#pragma once

#include <tidings/clock.hpp>
#include <tidings/logging/level.hpp>
#include <tidings/logging/value.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::logging {

namespace detail {

/// The reserved fields that a record may or may not have, in the order they are written.
enum class Reserved : std::uint8_t {
  Service,
  Environment,
  Release,
  Host,
  Pid,
  Thread,
  CorrelationId,
  CausationId,
  EventId,
  ForeignId,
  ForeignSource,
  EventType,
  Handler,
  Attempt,
  TraceId,
  SpanId,
  ErrorType,
  Error,
  ErrorChain,
  SourceFile,
  SourceLine,
  SourceFunction,
};
inline constexpr std::size_t kReservedCount = 22;

[[nodiscard]] std::string_view reserved_name(Reserved reserved) noexcept;
[[nodiscard]] std::optional<Reserved> find_reserved(std::string_view name) noexcept;

class RecordBuilder;

}  // namespace detail

/// Whether tidings gives this field name a meaning: timestamp, level, event, logger, service, environment,
/// release, host, pid, thread, correlation_id, causation_id, event_id, foreign_id, foreign_source,
/// event_type, handler, attempt, trace_id, span_id, error_type, error, error_chain, source_file, source_line,
/// source_function. A field of your own with such a name keeps it if the record has no field of tidings' with
/// that name, as outside of a delivery; else it is written as `name_1`.
[[nodiscard]] bool is_reserved_name(std::string_view name) noexcept;

/// A record on its way to the sinks, as a Processor sees it: facts, which cannot be changed, and other
/// fields, which can. Valid until log() returns; do not keep a reference to it.
class Record {
 public:
  struct Entry {
    std::string_view name;
    const Value* value;
  };

  Record() = default;
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  ~Record() = default;

  [[nodiscard]] Timestamp timestamp() const noexcept { return timestamp_; }
  [[nodiscard]] Level level() const noexcept { return level_; }
  [[nodiscard]] std::string_view event() const noexcept { return event_; }
  /// The logger's name; may be empty.
  [[nodiscard]] std::string_view logger() const noexcept { return logger_; }

  /// The field of that name, or null. Finds reserved fields too, except those that have a function above.
  /// Valid until the field is changed.
  [[nodiscard]] const Value* find(std::string_view name) const noexcept;
  /// Adds or replaces a field; name and value are copied. The name of a reserved field that the record has
  /// gets the suffix `_1`; a value made by error_of sets the error fields.
  void set(std::string_view name, const Value& value);
  /// False if there is no such field or it is reserved.
  bool remove(std::string_view name) noexcept;

  /// All fields except the reserved ones, in the order in which they are written.
  [[nodiscard]] std::span<const Entry> fields() const noexcept { return fields_; }
  /// Those of the `traceparent` that `trace_id` and `span_id` are of: bit 0 is sampled. 0: without a trace.
  [[nodiscard]] std::uint8_t trace_flags() const noexcept { return trace_flags_; }
  /// Null if the record has none.
  [[nodiscard]] const Value* reserved(detail::Reserved which) const noexcept {
    return reserved_[static_cast<std::size_t>(which)];
  }

 private:
  friend class detail::RecordBuilder;

  struct Owned {
    std::string name;
    Value value;
  };

  void put(const Entry& entry, bool replace);
  const Owned& own(std::string name, Value value);
  void set_error(const ErrorDescription& error);
  /// Whether the record has a reserved field of that name.
  [[nodiscard]] bool has_reserved(std::string_view name) const noexcept;
  /// `name_1`, or longer if that is taken.
  [[nodiscard]] std::string free_name(std::string_view name) const;
  /// Renames fields whose name a reserved field has.
  void rename_collisions();

  Timestamp timestamp_{};
  Level level_ = Level::Info;
  std::uint8_t trace_flags_ = 0;
  std::string_view event_;
  std::string_view logger_;
  std::array<const Value*, detail::kReservedCount> reserved_{};
  std::vector<Entry> fields_;
  std::vector<std::unique_ptr<Owned>> owned_;
};

/// Sees every enabled record before it is rendered; may add, change and remove fields, and drops the record
/// by returning false. Called on the logging thread, by many at once. If it throws, the record is written
/// without its own fields and with `processor_error`, so that a value that the processor should have hidden
/// is not written.
using Processor = std::function<bool(Record&)>;

}  // namespace tidings::logging
