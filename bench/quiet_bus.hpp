#pragma once

#include <tidings/bus.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace tidings::bench {

/// A bus as a service would have it, but for the records of its start and stop, which would run into the
/// table.
[[nodiscard]] inline BusOptions quiet_bus(std::size_t workers = 2,
                                          std::shared_ptr<LetterSink> store = nullptr) {
  return {
      .service = "bench",
      .store = std::move(store),
      .logger = logging::Logger(logging::LoggerOptions{.service = "bench", .level = logging::Level::Warning}),
      .workers = workers};
}

}  // namespace tidings::bench
