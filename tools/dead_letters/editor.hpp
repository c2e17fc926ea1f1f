#pragma once

#include <string>

namespace tidings::dead_letters {

/// Opens $VISUAL, $EDITOR or vi on `text`, and gives what was saved. The file has mode 0600, in a folder of
/// mode 0700 that is deleted with all that the editor left there, also when SIGINT, SIGTERM or SIGHUP end
/// this process. Throws Refusal.
[[nodiscard]] std::string edit_in_editor(const std::string& text);

}  // namespace tidings::dead_letters
