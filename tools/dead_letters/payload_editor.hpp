#pragma once

#include <tidings/event.hpp>

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::dead_letters {

/// `payload` with values set by JSON pointer; a value that is no JSON is text. Throws Refusal(Usage).
[[nodiscard]] Json with_changes(Json payload,
                                const std::vector<std::pair<std::string, std::string>>& changes);

/// JSON text as a payload. Throws Refusal(Data) that says where it is wrong.
[[nodiscard]] Json parse_payload(std::string_view text, const std::string& what);

/// Opens $VISUAL, $EDITOR or vi on `text`, in a file of mode 0600 that is deleted afterwards, and gives what
/// was saved. Throws Refusal.
[[nodiscard]] std::string edit_in_editor(const std::string& text);

}  // namespace tidings::dead_letters
