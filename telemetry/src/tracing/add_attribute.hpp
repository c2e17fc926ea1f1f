#pragma once

#include <tidings/telemetry/attribute.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidings::telemetry {

/// How many attributes and events of the application's own a span has at most (the defaults of
/// OpenTelemetry's SDK specification), and how long a text is.
inline constexpr std::size_t kMaxAttributes = 128;
inline constexpr std::size_t kMaxEvents = 128;
inline constexpr std::size_t kMaxTextBytes = 16'384;

/// Adds an attribute of the application's, or replaces the one of its name. What the default redactor denies
/// by its name or path is left out, and secrets in texts and numbers are masked, as in log records. `dropped`
/// counts what finds no room. Throws std::bad_alloc.
void add_attribute(Attributes& attributes, std::uint32_t& dropped, std::string_view name,
                   AttributeValue value);

}  // namespace tidings::telemetry
