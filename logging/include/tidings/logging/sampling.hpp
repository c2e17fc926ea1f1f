#pragma once

#include <tidings/logging/record.hpp>

#include <cstdint>

namespace tidings::logging {

/// How much of a flood is let through.
struct SamplingOptions {
  /// Records of one event name in one second (of the record's timestamp) that all pass.
  std::uint64_t first = 100;
  /// After these every n-th passes; 0: none.
  std::uint64_t then_every = 100;
  /// Records above this level always pass, and do not count.
  Level up_to = Level::Info;
};

/// Thins out floods, per event name and second. A record that passes after suppressed ones has their number
/// in the field `suppressed`. Counts up to 4,096 event names separately; any others share one count.
[[nodiscard]] Processor sample_bursts(SamplingOptions options = {});

/// Lets every n-th record of an event name pass, beginning with the first. Each except the first has the
/// field `suppressed`. Records above `up_to` always pass. Throws Error(InvalidArgument) if `n` is 0.
[[nodiscard]] Processor sample_one_in(std::uint64_t n, Level up_to = Level::Info);

}  // namespace tidings::logging
