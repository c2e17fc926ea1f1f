#pragma once

#include <tidings/event.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::dead_letters {

/// `payload` with values set by JSON pointer; a value that is no JSON is text. As "replace" of RFC 6902 where
/// there is a value, else as its "add": what is to hold the new one must be there, and an array only gets one
/// more element, at its end. Throws Refusal(Usage).
[[nodiscard]] Json with_changes(Json payload,
                                const std::vector<std::pair<std::string, std::string>>& changes);

/// JSON text as a payload. Throws Refusal(Data) that says where it is wrong.
[[nodiscard]] Json parse_payload(std::string_view text, const std::string& what);

}  // namespace tidings::dead_letters
