#include "sqlite/write_turn.hpp"
#include "deadletter/store_fixture.hpp"

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr auto kLong = std::chrono::seconds(30);

TEST(WriteTurn, IsGivenToOneAtATime) {
  WriteTurn turn;
  int value = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const WriteTurn::Hold hold(turn, Clock::now() + kLong);
        ++value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(value, 2000);
}

TEST(WriteTurn, GoesToWhoeverHasWaitedBeforeWhoeverHadIt) {
  WriteTurn turn;
  std::optional<WriteTurn::Hold> held(std::in_place, turn, Clock::now());
  std::atomic<bool> had_it = false;
  std::thread waiting([&] {
    const WriteTurn::Hold hold(turn, Clock::now() + kLong);
    had_it = true;
  });
  while (!had_it) {
    // Taken again at once, it must come to the other in time all the same.
    held.reset();
    held.emplace(turn, Clock::now() + kLong);
  }
  waiting.join();
}

TEST(WriteTurn, IsNotWaitedForBeyondTheDeadline) {
  WriteTurn turn;
  const WriteTurn::Hold held(turn, Clock::now());
  std::thread([&] {
    EXPECT_THAT(error_of(ErrorCode::DatabaseBusy, [&] { const WriteTurn::Hold hold(turn, Clock::now()); }),
                HasSubstr("end its long transaction(context)"));
  }).join();
}

TEST(WriteTurn, IsNotWaitedForByTheThreadThatHasIt) {
  WriteTurn turn;
  const WriteTurn::Hold held(turn, Clock::now());
  EXPECT_THAT(
      error_of(ErrorCode::DatabaseBusy, [&] { const WriteTurn::Hold hold(turn, Clock::now() + kLong); }),
      HasSubstr("this thread has a transaction(context) open"));
}

}  // namespace
}  // namespace tidings::deadletter
