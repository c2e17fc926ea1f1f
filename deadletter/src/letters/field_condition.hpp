#pragma once

#include <string>
#include <string_view>

namespace tidings::deadletter {

/// Whether the column `attributes` has, at the path that is the first and the second parameter, the value
/// that the third one spells. (CAST would make `1` of true.) A column that is damaged has none.
inline constexpr std::string_view kFieldCondition =
    "CASE WHEN json_valid(attributes) THEN CASE json_type(attributes, ?) WHEN 'true' THEN 'true'"
    " WHEN 'false' THEN 'false' ELSE CAST(json_extract(attributes, ?) AS TEXT) END END = ?";

/// SQLite's path of a field. A name that no context field can have leads nowhere.
[[nodiscard]] inline std::string field_path(std::string_view name) {
  const bool safe = name.find_first_of("\"\\") == std::string_view::npos;
  return "$.\"" + (safe ? std::string(name) : std::string()) + "\"";
}

}  // namespace tidings::deadletter
