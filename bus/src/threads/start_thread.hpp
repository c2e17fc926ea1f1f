#pragma once

#include <tidings/error.hpp>

#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace tidings::detail {

/// A thread that runs `run`. Throws Error(NoThreads) when the system gives none, and std::bad_alloc.
template <class Run>
[[nodiscard]] std::thread start_thread(Run run) try {
  return std::thread(std::move(run));
} catch (const std::system_error& error) {
  throw Error(ErrorCode::NoThreads,
              std::string("the system gives no thread to the bus (") + error.what() +
                  "): raise its limit of processes or memory (ulimit -u, ulimit -v, pids.max of the "
                  "container), or lower BusOptions::workers");
}

}  // namespace tidings::detail
