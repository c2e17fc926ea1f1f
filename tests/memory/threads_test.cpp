#include "memory/shop.hpp"

#include <tidings/error.hpp>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <unistd.h>
#include <fstream>

// A bus that is not given the threads it needs. In a child, whose memory for stacks is limited.

namespace tidings::memory {
namespace {

class ThreadsTest : public ScarceMemoryTest {
 protected:
  /// Lets the process have that much more memory than it has mapped; nothing lifts the limit.
  static void allow(std::uint64_t more_bytes) {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    statm >> pages;
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + more_bytes;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  static void lift() {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  /// Stacks of new threads would be larger than the address space.
  static void let_no_stack_fit() {
    pthread_attr_t stacks;
    ::pthread_getattr_default_np(&stacks);
    ::pthread_attr_setstacksize(&stacks, std::size_t{1} << 47U);
    ::pthread_setattr_default_np(&stacks);
    ::pthread_attr_destroy(&stacks);
  }
  [[nodiscard]] bool is_refused_threads(const BusOptions& options) {
    try {
      const Bus bus(options);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::NoThreads;
    }
  }
};

TEST_F(ThreadsTest, ABusWithoutAThreadIsAnError) {
  EXPECT_TRUE(deadletter::succeeded(deadletter::run_in_child([&] {
    const BusOptions wanted = options(Durability::None);
    let_no_stack_fit();
    return is_refused_threads(wanted);
  })));
}

TEST_F(ThreadsTest, ABusWithTooFewThreadsIsAnErrorAndGivesTheJournalUp) {
  EXPECT_TRUE(deadletter::succeeded(deadletter::run_in_child([&] {
    BusOptions wanted = options(Durability::ProcessCrash);
    wanted.workers = 64;
    allow(64ULL << 20U);
    if (!is_refused_threads(wanted)) return false;
    lift();
    wanted.workers = 1;
    Bus bus(wanted);
    bus.subscribe<Order>("handler", [](const Order&) {}).keep();
    return bus.publish(Order{1}).handled == 1;
  })));
}

TEST_F(ThreadsTest, MoreWorkersThanAnySystemGivesAreRefused) {
  BusOptions wanted = options(Durability::None);
  wanted.workers = SIZE_MAX;
  EXPECT_NE(deadletter::error_of(ErrorCode::InvalidArgument, [&] { const Bus bus(wanted); }), "");
}

}  // namespace
}  // namespace tidings::memory
