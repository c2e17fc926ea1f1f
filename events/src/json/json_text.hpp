#pragma once

#include <tidings/event.hpp>

#include "json/json_builder.hpp"

#include <string>
#include <string_view>

namespace tidings::detail {

/// Compact JSON of a value that fits JSON, however deep it is.
[[nodiscard]] std::string write_json_text(const Json& value);

/// Throws Error(NotDecodable), without quoting the text, when it is not one JSON value or nests deeper than
/// `max_depth`.
[[nodiscard]] Json read_json_text(std::string_view text, std::size_t max_depth, Duplicates duplicates);

}  // namespace tidings::detail
