#pragma once

#include <tidings/clock.hpp>
#include <tidings/logging/logger.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// What of one signal was lost after it had been accepted, and what of all losses has been told. Of the
/// exporter's thread, but for counted().
class Losses {
 public:
  void add(std::uint64_t items, std::string_view problem) noexcept;
  /// By any thread.
  [[nodiscard]] std::uint64_t counted() const noexcept { return counted_.load(); }

  /// When a record is due, if so many are lost in all.
  [[nodiscard]] Instant tell_due(std::uint64_t in_all) const noexcept;
  /// Logs what was lost since it did so last. `otherwise`: why, if nothing was added since. Throws
  /// std::bad_alloc.
  void tell(const char* signal, std::uint64_t in_all, const std::string& otherwise,
            const logging::Logger& logger, Instant now);

  /// There was no memory to tell: it is due in a second.
  void tell_later(Instant now) noexcept;

 private:
  std::atomic<std::uint64_t> counted_{0};
  std::uint64_t told_ = 0;         // in all
  Instant next_ = Instant::min();  // no record before
  std::string problem_;            // of what was added since the last record
};

}  // namespace tidings::telemetry
