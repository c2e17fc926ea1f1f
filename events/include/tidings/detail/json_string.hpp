#pragma once

#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// Appends the JSON text of a string, as nlohmann's dump() writes it, with U+FFFD for what is not UTF-8. Most
/// strings need no escape, and are copied whole: making a JSON value and its serializer would be most of the
/// cost.
void append_json_string(std::string& json, std::string_view text);

}  // namespace tidings::detail
