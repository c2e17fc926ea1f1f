#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

namespace tidings::bench {

using Seconds = std::chrono::duration<double>;

/// Runs `work(0)`, `work(1)` ... on as many threads, which begin together. Returns the time from there until
/// the last is done, as the wall clock has it: waiting for one another counts. Throws what the first of them
/// throws.
Seconds run_at_once(std::size_t threads, const std::function<void(std::size_t)>& work);

}  // namespace tidings::bench
