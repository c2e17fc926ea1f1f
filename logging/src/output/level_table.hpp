#pragma once

#include <tidings/logging/level.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tidings::logging {

/// Whether a logger has this name, or one that begins with it and a dot. All are below the empty name.
[[nodiscard]] inline bool is_logger_below(std::string_view logger, std::string_view name) noexcept {
  if (!logger.starts_with(name)) return false;
  return name.empty() || logger.size() == name.size() || logger[name.size()] == '.';
}

/// The levels of a family of loggers, set per prefix of their dotted names. Each name has one threshold,
/// which its loggers read without a lock. Thread-safe.
class LevelTable {
 public:
  explicit LevelTable(Level root);

  /// Valid as long as the table.
  [[nodiscard]] const std::atomic<std::uint8_t>* threshold(std::string_view name);
  void set(std::string_view prefix, Level level);

 private:
  [[nodiscard]] Level effective(std::string_view name) const;

  std::mutex mutex_;
  // Guarded by mutex_; the thresholds' values are atomic, and their nodes never move.
  std::map<std::string, Level, std::less<>> configured_;
  std::map<std::string, std::atomic<std::uint8_t>, std::less<>> thresholds_;
};

}  // namespace tidings::logging
