#include "time/counted_time.hpp"

#include <tidings/clock.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tidings {
namespace {

using namespace std::chrono_literals;

TEST(Signal, ARaiseBeforeTheWaitEndsItAtOnce) {
  Signal signal;
  signal.raise();
  signal.wait();
  signal.raise();
  signal.wait_until(Instant::max());
}

TEST(Signal, AWaitTakesTheRaiseWithIt) {
  Signal signal;
  signal.raise();
  signal.raise();
  signal.wait();
  const Instant before = std::chrono::steady_clock::now();
  signal.wait_until(before + 2ms);
  EXPECT_GE(std::chrono::steady_clock::now(), before + 2ms);
}

TEST(Signal, ADeadlineInThePastEndsTheWait) {
  Signal signal;
  signal.wait_until(Instant::min());
  signal.wait_until(std::chrono::steady_clock::now());
}

TEST(Signal, WakesAThreadThatWaits) {
  Signal signal;
  std::thread waiter([&signal] { signal.wait(); });
  signal.raise();
  waiter.join();
}

TEST(SystemClock, IsSharedAndFollowsTheMachine) {
  const auto clock = system_clock();
  EXPECT_EQ(clock, system_clock());
  const auto before = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  EXPECT_GE(clock->now(), before);
  const Instant instant = clock->monotonic_now();
  EXPECT_GE(clock->monotonic_now(), instant);
}

TEST(SystemClock, WaitsForTheSignalOrTheDeadline) {
  const auto clock = system_clock();
  Signal signal;
  signal.raise();
  clock->wait_until(signal, Instant::max());
  const Instant deadline = clock->monotonic_now() + 1ms;
  clock->wait_until(signal, deadline);
  EXPECT_GE(clock->monotonic_now(), deadline);
}

TEST(ManualClock, StandsStillUntilTold) {
  ManualClock clock;
  EXPECT_EQ(to_rfc3339(clock.now()), "2026-01-01T00:00:00.000000Z");
  const Instant start = clock.monotonic_now();
  EXPECT_EQ(clock.monotonic_now(), start);
  clock.advance(1500us);
  EXPECT_EQ(to_rfc3339(clock.now()), "2026-01-01T00:00:00.001500Z");
  EXPECT_EQ(clock.monotonic_now(), start + 1500us);
}

TEST(ManualClock, TheWallClockAloneMayJumpBack) {
  ManualClock clock;
  const Instant start = clock.monotonic_now();
  clock.set_wall(Timestamp{});
  EXPECT_EQ(clock.now(), Timestamp{});
  EXPECT_EQ(clock.monotonic_now(), start);
}

TEST(ManualClock, ADeadlineThatHasComeEndsTheWaitAtOnce) {
  ManualClock clock;
  Signal signal;
  clock.wait_until(signal, clock.monotonic_now());
  clock.wait_until(signal, clock.monotonic_now() - 1s);
}

TEST(ManualClock, ARaiseBeforeTheWaitEndsItAndIsTakenWithIt) {
  ManualClock clock;
  Signal signal;
  signal.raise();
  clock.wait_until(signal, Instant::max());
  std::atomic<bool> woken{false};
  std::thread waiter([&] {
    clock.wait_until(signal, clock.monotonic_now() + 1s);
    woken = true;
  });
  clock.await_waiter();
  EXPECT_FALSE(woken);
  clock.advance(1s);
  waiter.join();
}

TEST(ManualClock, AdvanceWakesThoseWhoseDeadlineHasComeAndNoOther) {
  ManualClock clock;
  const Instant start = clock.monotonic_now();
  Signal early_signal;
  Signal late_signal;
  std::atomic<bool> late_woken{false};
  std::thread early([&] { clock.wait_until(early_signal, start + 10ms); });
  std::thread late([&] {
    clock.wait_until(late_signal, start + 20ms);
    late_woken = true;
  });
  clock.await_waiter();
  clock.advance(10ms);
  early.join();
  EXPECT_FALSE(late_woken);
  clock.advance(10ms);
  late.join();
  EXPECT_TRUE(late_woken);
}

TEST(ManualClock, ASignalWakesAWaiterBeforeItsDeadline) {
  ManualClock clock;
  Signal signal;
  std::thread waiter([&] { clock.wait_until(signal, clock.monotonic_now() + 1h); });
  clock.await_waiter();
  signal.raise();
  waiter.join();
}

// A timer thread that was told of new work is still listed with its old deadline until it has run. A test
// that waits for "the timer is armed" must see the new one.
TEST(ManualClock, AWaiterThatWasToldToWakeDoesNotCount) {
  ManualClock clock;
  Signal signal;
  for (int round = 0; round < 200; ++round) {
    const Instant start = clock.monotonic_now();
    std::atomic<bool> rearmed{false};
    std::thread timer([&] {
      clock.wait_until(signal, start + 1h);
      rearmed = true;
      clock.wait_until(signal, start + 1ms);
    });
    clock.await_waiter();
    signal.raise();
    clock.await_waiter();
    EXPECT_TRUE(rearmed);
    clock.advance(1ms);
    timer.join();
  }
}

TEST(ManualClock, AWaiterWithoutADeadlineDoesNotCount) {
  ManualClock clock;
  Signal idle;
  Signal armed;
  std::atomic<bool> armed_began{false};
  std::thread idle_thread([&] { clock.wait_until(idle, Instant::max()); });
  std::thread armed_thread([&] {
    armed_began = true;
    clock.wait_until(armed, clock.monotonic_now() + 1s);
  });
  clock.await_waiter();
  EXPECT_TRUE(armed_began);
  clock.advance(1s);
  idle.raise();
  armed_thread.join();
  idle_thread.join();
}

TEST(ManualClock, NoWakeUpIsLostBetweenAdvanceAndWait) {
  ManualClock clock;
  std::vector<std::thread> waiters;
  std::vector<Signal> signals(4);
  const Instant end = clock.monotonic_now() + 1000us;
  for (Signal& signal : signals) {
    waiters.emplace_back([&clock, &signal, end] {
      for (Instant next = clock.monotonic_now(); next < end; next += 1us)
        clock.wait_until(signal, next + 1us);
    });
  }
  for (int i = 0; i < 1100; ++i) clock.advance(1us);
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_GE(clock.monotonic_now(), end);
}

// The counter that stands in for the wall clock: docs/decisions/0003-wall-clock-by-counter.md.

constexpr Timestamp kRead{1s};
constexpr std::uint64_t kTicks = 1'000'000;

/// A reading of the wall clock at kRead, when the counter said kTicks.
detail::ClockReading<Timestamp> reading() { return {kTicks, kRead}; }

TEST(CountedTime, PassesAsTheCounterDoesWhateverItsRate) {
  for (const std::uint64_t in_a_microsecond : {100U, 1000U, 2596U, 6000U, 100'000U}) {
    const auto rate = detail::TickRate::measured(in_a_microsecond * 200, 200'000);
    ASSERT_TRUE(rate) << in_a_microsecond;
    EXPECT_EQ(reading().at(kTicks, *rate), kRead);
    for (const int passed : {1, 7, 500, 998}) {
      const auto time = reading().at(
          kTicks + in_a_microsecond * static_cast<unsigned>(passed) + in_a_microsecond / 2, *rate);
      ASSERT_TRUE(time) << in_a_microsecond;
      EXPECT_EQ(*time, kRead + std::chrono::microseconds(passed)) << in_a_microsecond;
    }
  }
}

TEST(CountedTime, AReadingServesForAMillisecondSoThatASetClockIsFollowed) {
  const auto rate = detail::TickRate::measured(600'000, 200'000);
  ASSERT_TRUE(rate);
  EXPECT_TRUE(reading().at(kTicks + 2'999'999, *rate));
  EXPECT_FALSE(reading().at(kTicks + 3'000'000, *rate));
  EXPECT_FALSE(reading().at(kTicks + 3'000'000'000, *rate));
}

TEST(CountedTime, AReadingDoesNotServeForACounterThatWentBack) {
  const auto rate = detail::TickRate::measured(600'000, 200'000);
  ASSERT_TRUE(rate);
  EXPECT_FALSE(reading().at(kTicks - 1, *rate));
  EXPECT_FALSE(reading().at(0, *rate));
}

TEST(CountedTime, ARateThatNoProcessorHasIsNone) {
  EXPECT_FALSE(detail::TickRate::measured(600'000, 0));
  EXPECT_FALSE(detail::TickRate::measured(600'000, -200'000));
  EXPECT_FALSE(detail::TickRate::measured(0, 200'000));
  EXPECT_FALSE(detail::TickRate::measured(99 * 200, 200'000));
  EXPECT_FALSE(detail::TickRate::measured(100'001 * 200, 200'000));
}

constexpr auto kTolerated = 20us;  // what the rate is off, and the system's own corrections

TEST(SystemClock, SaysWhatTheSystemSays) {
  const auto clock = system_clock();
  for (int look = 0; look < 20'000; ++look) {
    const auto before = std::chrono::system_clock::now();
    const Timestamp now = clock->now();
    const auto after = std::chrono::system_clock::now();
    ASSERT_GE(now, before - kTolerated);
    ASSERT_LE(now, after + kTolerated);
  }
}

// For some milliseconds, so that the counter has stood in for the clock many times, and was corrected.
TEST(SystemClock, ItsMonotonicTimeIsTheSystemsAndNeverGoesBack) {
  const auto clock = system_clock();
  Instant latest = clock->monotonic_now();
  for (int look = 0; look < 200'000; ++look) {
    const Instant before = std::chrono::steady_clock::now();
    const Instant now = clock->monotonic_now();
    const Instant after = std::chrono::steady_clock::now();
    ASSERT_GE(now, before - kTolerated);
    ASSERT_LE(now, after + kTolerated);
    ASSERT_GE(now, latest);
    latest = now;
  }
}

}  // namespace
}  // namespace tidings
