#include <tidings/detail/fork_generation.hpp>

#include <pthread.h>

#include <new>

namespace tidings::detail {
namespace {

// Runs in the child between fork and its first instruction, where only async-signal-safe calls are allowed.
void enter_child() { fork_generation_counter.fetch_add(1, std::memory_order_relaxed); }
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

int register_handler() {
  // The only error that POSIX knows here is ENOMEM.
  if (pthread_atfork(nullptr, nullptr, enter_child) != 0) throw std::bad_alloc();
  return 0;
}

}  // namespace

void watch_forks() { [[maybe_unused]] static const int registered = register_handler(); }

}  // namespace tidings::detail
