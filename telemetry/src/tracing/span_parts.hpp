#pragma once

#include <tidings/clock.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/trace_context.hpp>

#include <cstdint>
#include <string>

namespace tidings::telemetry {

[[nodiscard]] SpanContext span_context_of(const TraceParent& trace);
[[nodiscard]] std::uint64_t nanoseconds(Timestamp time) noexcept;
/// Sets the status.
void mark_failed(SpanData& span, const std::string& error_type, const std::string& message);

}  // namespace tidings::telemetry
