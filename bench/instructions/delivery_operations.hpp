#pragma once

#include <cstdint>

namespace tidings::bench {

/// Events through a queue to a worker, in whole bursts.
void publish_queued(std::uint64_t times);
/// Events that are in a journal before their inline handler runs, one by one.
void publish_durably(std::uint64_t times);
/// Deliveries that fail three times, inline, and become letters that cost their sink nothing.
void fail_deliveries(std::uint64_t times);

}  // namespace tidings::bench
