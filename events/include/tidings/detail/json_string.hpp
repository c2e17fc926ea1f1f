#pragma once

#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// Appends `text` as a JSON string, as nlohmann's dump() writes it; invalid UTF-8 becomes U+FFFD. Most
/// strings need no escape and are copied whole: making a JSON value and its serializer would be most of the
/// cost.
void append_json_string(std::string& json, std::string_view text);

}  // namespace tidings::detail
