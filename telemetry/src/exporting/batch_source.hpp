#pragma once

#include <tidings/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace tidings::telemetry {

/// The body of a request.
struct Batch {
  /// Empty: there is nothing to send.
  std::string body = {};
  std::size_t items = 0;
};

/// What a signal has to send. What is not documented otherwise is called by the exporter's thread.
class BatchSource {
 public:
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  virtual ~BatchSource() = default;

  /// When a batch is to be sent; Instant::max() if there is nothing. `hurry`: at once, if there is anything.
  [[nodiscard]] virtual Instant due(bool hurry) const = 0;
  /// How many items the next batch has.
  [[nodiscard]] virtual std::size_t next_items() const = 0;
  /// The next batch, of so many items; by whatever it throws, it has lost them.
  [[nodiscard]] virtual Batch take(std::size_t items) = 0;
  /// Throws away what waits; returns how many items it was.
  virtual std::size_t discard() noexcept = 0;
  /// The number of items, from the first on, after which all is done that there is now. By any thread.
  [[nodiscard]] virtual std::uint64_t request() = 0;
  /// How many items were lost because there was no room. By any thread.
  [[nodiscard]] virtual std::uint64_t refused() const noexcept { return 0; }
};

}  // namespace tidings::telemetry
