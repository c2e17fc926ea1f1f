#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::logging {

/// Appends `text` as a JSON string, quotes included, in ASCII: byte for byte what nlohmann's dump() gives
/// with ensure_ascii and error_handler_t::replace, at a fraction of its cost.
void append_json_string(std::string& out, std::string_view text);

/// Appends a JSON number; null when `number` is not finite, which JSON cannot say.
void append_json_number(std::string& out, double number);
void append_json_number(std::string& out, std::int64_t number);
void append_json_number(std::string& out, std::uint64_t number);

}  // namespace tidings::logging
