#pragma once

#include <tidings/event.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::dead_letters {

/// `payload` with values set by JSON pointer; a value that is not JSON is text. Works as "replace" of RFC
/// 6902 if there is a value, else as its "add": the parent of the new value must exist, and an array only
/// gets one more element, at its end. Throws Refusal(Usage).
[[nodiscard]] Json with_changes(Json payload,
                                const std::vector<std::pair<std::string, std::string>>& changes);

/// JSON text as a payload. Throws Refusal(Data) that says where it is wrong.
[[nodiscard]] Json parse_payload(std::string_view text, const std::string& what);

}  // namespace tidings::dead_letters
