#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tidings::check_dead_letters {

/// Replaces `path` by `text` in one step: readers see the old file or the new one, also after a power cut.
/// Mode 0644, as the collector runs as another user and no payload is in it. Refuses to replace anything but
/// a regular file, and databases (any of `databases`, or what begins like one). Returns what went wrong and
/// what to do, nothing when it worked.
[[nodiscard]] std::optional<std::string> write_prometheus_file(const std::string& path,
                                                               const std::string& text,
                                                               const std::vector<std::string>& databases);

}  // namespace tidings::check_dead_letters
