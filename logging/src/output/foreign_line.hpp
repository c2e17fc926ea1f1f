#pragma once

#include <tidings/clock.hpp>
#include <tidings/logging/logger.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::logging {

/// A finished line of text that somebody else logged, perhaps on another thread.
struct ForeignLine {
  Timestamp time;
  std::int64_t thread;
  Level level;
  SourceLocation source;
  std::string_view text;
};

/// A logger of that name, whatever the name of `logger`, with the level that this name has.
[[nodiscard]] Logger renamed(const Logger& logger, std::string_view name);
/// Writes the line as a record `log_message`, whether its level is enabled or not.
void log_line(const Logger& logger, const ForeignLine& line) noexcept;
/// Appends that record as JSON with its line end; nothing if a processor drops it.
void render_line(const Logger& logger, const ForeignLine& line, std::string& out) noexcept;
/// Counts a line that could not become a record.
void count_lost_line(const Logger& logger, const char* why) noexcept;

}  // namespace tidings::logging
