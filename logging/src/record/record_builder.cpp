#include "record/record_builder.hpp"

#include <tidings/detail/what_of.hpp>
#include <tidings/process_identity.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace tidings::logging::detail {

namespace {

constexpr int kMaxLaziness = 8;  // functions that return functions

// A scope opened inside a handler does not end the handling.
const AmbientFrame* handled_event(const AmbientFrame& frame) noexcept {
  const AmbientFrame* level = &frame;
  while (level != nullptr && level->event == nullptr) level = level->previous;
  return level;
}

/// Text is borrowed: the context outlives the record.
Value borrowed(const ContextValue& value) {
  return std::visit([](const auto& each) { return Value(each); }, value.storage());
}

std::string unavailable(const char* why) { return std::string("[unavailable: ") + why + "]"; }

Value evaluated(const Value& lazy) {
  try {
    Value value = std::get<Value::Lazy>(lazy.storage())();
    for (int depth = 1; value.is_lazy() && depth < kMaxLaziness; ++depth) {
      value = Value(std::get<Value::Lazy>(value.storage())());
    }
    if (value.is_lazy()) return "[unavailable: a lazy field that stays lazy]";
    return value;
  } catch (const std::exception& error) {
    return Value(unavailable(tidings::detail::what_of(error)));
  } catch (...) {
    return Value("[unavailable: the lazy field threw]");
  }
}

}  // namespace

void RecordBuilder::begin(Timestamp now, Level level, std::string_view event, std::string_view logger,
                          std::string_view service) {
  record_.timestamp_ = now;
  record_.level_ = level;
  record_.event_ = event;
  record_.logger_ = logger;
  if (!service.empty()) set(Reserved::Service, service);
}

void RecordBuilder::add_process(const ProcessFields& which) {
  const ProcessIdentity& process = process_identity();
  if (which.environment && !process.environment.empty()) set(Reserved::Environment, process.environment);
  if (which.release && !process.release.empty()) set(Reserved::Release, process.release);
  if (which.host && !process.host.empty()) set(Reserved::Host, process.host);
  if (which.pid) set(Reserved::Pid, process_id());
  if (which.thread) set(Reserved::Thread, thread_id());
}

void RecordBuilder::set_origin(Timestamp time, std::int64_t thread) {
  record_.timestamp_ = time;
  if (record_.reserved(Reserved::Thread) != nullptr) set(Reserved::Thread, thread);
}

void RecordBuilder::add_source(const SourceLocation& source) {
  set(Reserved::SourceFile, source.short_file());
  set(Reserved::SourceLine, source.line);
  if (source.function != nullptr) set(Reserved::SourceFunction, std::string_view(source.function));
}

void RecordBuilder::clear() noexcept {
  record_.reserved_.fill(nullptr);
  record_.trace_flags_ = 0;
  record_.fields_.clear();
  record_.owned_.clear();
  has_reserved_names_ = false;
  context_values_.clear();
}

void RecordBuilder::add_bound(const FieldList& fields) {
  for (const auto& field : fields.fields) add(field.name, field.value, true);
}

void RecordBuilder::add_own(std::span<const Field> fields, Naming naming) {
  for (const Field& field : fields) {
    if (naming == Naming::Tidings) {
      add_tidings_own(field);
    } else {
      add(field.name, field.value, true);
    }
  }
}

void RecordBuilder::add_tidings_own(const Field& field) {
  const auto which = find_reserved(field.name);
  const bool is_error =
      std::holds_alternative<std::shared_ptr<const ErrorDescription>>(field.value.storage());
  if (!which || is_error) {
    add(field.name, field.value, true);
  } else {
    const bool absent = std::holds_alternative<std::monostate>(field.value.storage());
    record_.reserved_[static_cast<std::size_t>(*which)] = absent ? nullptr : &field.value;
  }
}

void RecordBuilder::add(std::string_view name, const Value& value, bool replace) {
  if (const auto* error = std::get_if<std::shared_ptr<const ErrorDescription>>(&value.storage())) {
    if (replace || record_.reserved(Reserved::Error) == nullptr) record_.set_error(**error);
  } else {
    has_reserved_names_ = has_reserved_names_ || is_reserved_name(name);
    record_.put({name, &value}, replace);
  }
}

void RecordBuilder::finish() {
  if (has_reserved_names_) record_.rename_collisions();
}

void RecordBuilder::add_correlation_of(const AmbientFrame& frame) {
  const AmbientFrame* handled = handled_event(frame);
  if (frame.event != nullptr) {
    add_correlation(frame.event->correlation_id, frame.event->causation_id, frame.traceparent());
  } else if (frame.scope != nullptr) {
    // A scope inside a handler has the handled event as the cause of what is published in it. What caused the
    // handled event itself is what every record of its delivery says.
    const bool of_handled = handled != nullptr && frame.scope->causation_id == handled->event->event_id;
    add_correlation(frame.scope->correlation_id,
                    of_handled ? handled->event->causation_id : frame.scope->causation_id,
                    frame.traceparent());
  }
  if (handled != nullptr) add_event(*handled);
}

void RecordBuilder::add_correlation(const CorrelationId& id, const std::optional<EventId>& causation,
                                    const TraceParent* trace) {
  if (!id.empty()) set(Reserved::CorrelationId, id.to_string());
  if (causation) set(Reserved::CausationId, causation->to_string());
  if (trace == nullptr) return;
  set(Reserved::TraceId, trace->trace_id_text());
  set(Reserved::SpanId, trace->parent_id_text());
  record_.trace_flags_ = trace->flags;
}

void RecordBuilder::add_event(const AmbientFrame& frame) {
  set(Reserved::EventId, frame.event->event_id.to_string());
  if (frame.event->foreign_id) {
    set(Reserved::ForeignId, std::string_view(*frame.event->foreign_id));
    set(Reserved::ForeignSource, frame.event->source.view());
  }
  if (!frame.event_type.empty()) set(Reserved::EventType, frame.event_type);
  if (frame.handler != nullptr) set(Reserved::Handler, *frame.handler);
  if (frame.attempt != 0) set(Reserved::Attempt, frame.attempt);
}

void RecordBuilder::add_context_of(const AmbientFrame& frame) {
  const AmbientFrame* handled = handled_event(frame);
  const ContextFields* bound = handled == nullptr ? nullptr : handled->bound_fields();
  const ContextFields& fields = frame.fields();
  context_values_.reserve((bound == nullptr ? 0 : bound->size()) +
                          fields.size());  // the record points into it
  if (bound != nullptr) add_fields(*bound);
  add_fields(fields);
}

void RecordBuilder::add_fields(const ContextFields& fields) {
  for (const auto& [name, value] : fields) add(name, context_values_.emplace_back(borrowed(value)), false);
}

void RecordBuilder::set(Reserved which, Value value) {
  const auto index = static_cast<std::size_t>(which);
  reserved_values_[index] = std::move(value);
  record_.reserved_[index] = &reserved_values_[index];
}

void RecordBuilder::evaluate_lazy_fields() {
  const auto evaluate = [this](const Value*& value) {
    if (value != nullptr && value->is_lazy()) value = &record_.own({}, evaluated(*value)).value;
  };
  for (const Value*& value : record_.reserved_) evaluate(value);
  for (Record::Entry& entry : record_.fields_) evaluate(entry.value);
}

void RecordBuilder::reduce_to(std::string_view name, std::string_view text) {
  record_.fields_.clear();
  for (const Value*& value : record_.reserved_) {
    if (value != nullptr && value->is_lazy()) value = nullptr;
  }
  record_.set(name, text);
}

}  // namespace tidings::logging::detail
