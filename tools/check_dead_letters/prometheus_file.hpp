#pragma once

#include <tidings/deadletter/output_file.hpp>

#include <optional>
#include <span>
#include <string>

namespace tidings::check_dead_letters {

/// Replaces `path` by `text` in one step: readers see the old file or the new one, also after a power cut.
/// Mode 0644, as the collector runs as another user and no payload is in it. Refuses what
/// deadletter::OutputFile refuses: files of a database, and everything except regular files. Returns what
/// went wrong and what to do, or nullopt on success.
[[nodiscard]] std::optional<std::string> write_prometheus_file(
    const std::string& path, const std::string& text, std::span<const deadletter::DatabaseFiles> databases);

}  // namespace tidings::check_dead_letters
