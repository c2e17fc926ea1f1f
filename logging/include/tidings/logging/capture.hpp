#pragma once

#include <tidings/logging/logger.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace tidings::logging {

/// Collects records for a test to check, exactly as they would have been written:
///
///     Capture capture;
///     Bus bus({.service = "orders", .logger = capture.logger()});
///     ...
///     EXPECT_EQ(capture.only("handler_failed").at("attempt"), 1);
///
/// Thread-safe. Loggers and sinks taken from it may outlive it.
class Capture {
 public:
  Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();

  /// A logger that writes here and nowhere else, all levels enabled. `options` may set more; its sinks are
  /// replaced.
  [[nodiscard]] Logger logger(LoggerOptions options = {}) const;
  /// An output for the options of your own logger.
  [[nodiscard]] Output sink() const;

  /// All records so far, oldest first.
  [[nodiscard]] std::vector<Json> records() const;
  /// Those with this event name.
  [[nodiscard]] std::vector<Json> records(std::string_view event) const;
  [[nodiscard]] std::size_t count(std::string_view event) const;
  /// The one record with this event name; throws Error(InvalidArgument), listing the captured records, if
  /// there is none or several.
  [[nodiscard]] Json only(std::string_view event) const;
  /// The lines as they were written, each without its line end.
  [[nodiscard]] std::vector<std::string> lines() const;
  void clear();

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
};

}  // namespace tidings::logging
