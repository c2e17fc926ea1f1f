#include <tidings/error.hpp>
#include <tidings/retry.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

namespace tidings {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostRandom = std::numeric_limits<std::uint64_t>::max();

TEST(Backoff, NoneNeverWaits) {
  EXPECT_TRUE(none().immediate());
  for (const std::uint32_t retry : {0U, 1U, 100U, 4294967295U})
    EXPECT_EQ(none().delay(retry, kMostRandom), 0us);
}

TEST(Backoff, ConstantIsAlwaysTheSame) {
  const Backoff backoff = constant(250ms);
  EXPECT_FALSE(backoff.immediate());
  for (const std::uint32_t retry : {0U, 1U, 2U, 4294967295U}) EXPECT_EQ(backoff.delay(retry, 12345), 250ms);
}

TEST(Backoff, ExponentialDoublesUpToItsCap) {
  const Backoff backoff = exponential(100ms, 1s, Jitter::None);
  EXPECT_EQ(backoff.delay(1, 0), 100ms);
  EXPECT_EQ(backoff.delay(2, 0), 200ms);
  EXPECT_EQ(backoff.delay(3, 0), 400ms);
  EXPECT_EQ(backoff.delay(4, 0), 800ms);
  EXPECT_EQ(backoff.delay(5, 0), 1s);
  EXPECT_EQ(backoff.delay(6, 0), 1s);
  EXPECT_EQ(backoff.delay(4294967295U, 0), 1s);
}

TEST(Backoff, RetryZeroCountsAsTheFirst) {
  EXPECT_EQ(exponential(100ms, 1s, Jitter::None).delay(0, 0), 100ms);
}

TEST(Backoff, AnEqualFirstDelayAndCapStayTheSame) {
  const Backoff backoff = exponential(5ms, 5ms, Jitter::None);
  EXPECT_EQ(backoff.delay(1, 0), 5ms);
  EXPECT_EQ(backoff.delay(9, 0), 5ms);
}

TEST(Backoff, FullJitterReachesFromZeroToTheComputedDelay) {
  const Backoff backoff = exponential(100ms, 10s);
  EXPECT_EQ(backoff.delay(1, 0), 0us);
  EXPECT_EQ(backoff.delay(1, kMostRandom), 100ms);
  EXPECT_EQ(backoff.delay(3, kMostRandom), 400ms);
  EXPECT_EQ(backoff.delay(1, kMostRandom / 2), 50ms);
  EXPECT_EQ(constant(100ms, Jitter::Full).delay(7, kMostRandom / 4), 25ms);
}

TEST(Backoff, FullJitterIsUniform) {
  const Backoff backoff = constant(1ms, Jitter::Full);
  std::chrono::microseconds sum{0};
  constexpr std::uint64_t kDraws = 1001;
  for (std::uint64_t i = 0; i < kDraws; ++i) sum += backoff.delay(1, kMostRandom / (kDraws - 1) * i);
  EXPECT_NEAR(static_cast<double>(sum.count()) / kDraws, 500.0, 1.0);
}

TEST(Backoff, HugeDelaysStayWithinTheClocksRange) {
  for (const Backoff& backoff : {constant(std::chrono::milliseconds::max()),
                                 exponential(1ms, std::chrono::milliseconds::max(), Jitter::None)}) {
    const auto delay = backoff.delay(4294967295U, kMostRandom);
    EXPECT_GT(delay, 24h * 365);
    EXPECT_GT(std::chrono::steady_clock::time_point(24h * 365 * 100) + delay,
              std::chrono::steady_clock::time_point());
  }
}

template <class Make>
void expect_refused(const std::string& part, Make make) {
  try {
    static_cast<void>(make());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Backoff, RefusesDelaysThatAreNotPositive) {
  expect_refused("must be positive, not 0 ms; use none()", [] { return constant(0ms); });
  expect_refused("must be positive, not -5 ms", [] { return constant(-5ms); });
  expect_refused("not 0 ms with a cap of 1000 ms", [] { return exponential(0ms, 1s); });
  expect_refused("not -1 ms", [] { return exponential(-1ms, 1s); });
  expect_refused("not above the cap, not 2000 ms with a cap of 1000 ms", [] { return exponential(2s, 1s); });
  expect_refused("with a cap of 0 ms", [] { return exponential(1ms, 0ms); });
}

TEST(RetryAfter, CarriesItsDelayAndReason) {
  const RetryAfter asked(1500ms, "HTTP 429");
  EXPECT_EQ(asked.delay(), 1500ms);
  EXPECT_STREQ(asked.what(), "HTTP 429");
  EXPECT_STREQ(RetryAfter(0ms).what(), "asked to retry later");
}

template <class Exception>
bool matches(const std::vector<ExceptionMatcher>& matchers, const Exception& exception) {
  try {
    throw exception;
  } catch (...) {
    for (const ExceptionMatcher matcher : matchers) {
      if (matcher()) return true;
    }
  }
  return false;
}

TEST(ExceptionTypes, MatchTheTypesAndWhatDerivesFromThem) {
  const auto listed = exception_types<std::logic_error, int>();
  EXPECT_TRUE(matches(listed, std::logic_error("x")));
  EXPECT_TRUE(matches(listed, std::invalid_argument("x")));
  EXPECT_TRUE(matches(listed, 42));
  EXPECT_FALSE(matches(listed, std::runtime_error("x")));
  EXPECT_FALSE(matches(listed, 42L));
  EXPECT_FALSE(matches(exception_types<>(), std::logic_error("x")));
}

TEST(RetryPolicy, TriesThreeTimesAtOnceUnlessToldOtherwise) {
  const RetryPolicy policy;
  EXPECT_EQ(policy.max_attempts, 3U);
  EXPECT_TRUE(policy.backoff.immediate());
  EXPECT_FALSE(policy.give_up_after);
  EXPECT_TRUE(policy.permanent.empty());
  EXPECT_FALSE(policy.retry_if);
}

}  // namespace
}  // namespace tidings
