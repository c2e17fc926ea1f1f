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

/// Thins out floods, per event name and second. A record that passes after others did not says how many, in
/// the field `suppressed`. Keeps count of 4,096 event names; beyond that they share one count.
[[nodiscard]] Processor sample_bursts(SamplingOptions options = {});

/// Lets every n-th record of an event name pass, beginning with the first, each but the first with the field
/// `suppressed`. Records above `up_to` always pass. Throws Error(InvalidArgument) if `n` is 0.
[[nodiscard]] Processor sample_one_in(std::uint64_t n, Level up_to = Level::Info);

}  // namespace tidings::logging
