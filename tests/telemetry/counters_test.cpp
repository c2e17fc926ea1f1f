#include <tidings/error.hpp>
#include <tidings/telemetry/counters.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace tidings::telemetry::test {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

bool is_refused(std::string_view name, const Labels& labels = {}) {
  CounterRegistry counters;
  try {
    counters.counter(name, "help", labels);
  } catch (const Error& error) {
    return error.code() == ErrorCode::InvalidArgument && counters.read().empty();
  }
  return false;
}

TEST(CounterRegistry, GivesOneCounterForANameAndLabelsInAnyOrder) {
  CounterRegistry counters;
  Counter& one = counters.counter("shop_refused", "Orders refused.", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&counters.counter("shop_refused", "another text", {{"b", "2"}, {"a", "1"}}), &one);
  EXPECT_NE(&counters.counter("shop_refused", "", {{"a", "1"}, {"b", "3"}}), &one);
  one.add();
  one.add(4);
  const auto families = counters.read();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].help, "Orders refused.");
  ASSERT_EQ(families[0].series.size(), 2U);
  EXPECT_THAT(families[0].series[0].labels, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(families[0].series[0].value, 5U);
  EXPECT_EQ(families[0].series[1].value, 0U);
}

TEST(CounterRegistry, RefusesNamesThatPrometheusWould) {
  for (const char* name : {"", "1st", "a-b", "a:b", "tidings_x", "x_total", "x_count", "x_bucket", "ä"})
    EXPECT_TRUE(is_refused(name)) << name;
  EXPECT_TRUE(is_refused(std::string(129, 'a')));
  EXPECT_FALSE(is_refused("_a1_B"));
}

TEST(CounterRegistry, RefusesLabelsThatPrometheusWould) {
  EXPECT_TRUE(is_refused("x", {{"1", "v"}}));
  EXPECT_TRUE(is_refused("x", {{"__name__", "v"}}));
  EXPECT_TRUE(is_refused("x", {{"a", "v"}, {"a", "w"}}));
  EXPECT_TRUE(is_refused("x", {{"a", "\xff"}}));
  EXPECT_TRUE(is_refused("x", {{"a", std::string(129, 'v')}}));
  CounterRegistry counters;
  counters.counter("x", "", {{"a", "1"}});
  EXPECT_THROW(counters.counter("x", "", {{"b", "1"}}), Error);
  EXPECT_THROW(counters.counter("x", ""), Error);
}

TEST(CounterRegistry, IsBounded) {
  CounterRegistry counters;
  constexpr std::uint64_t kValues = 5'000;
  for (std::uint64_t value = 0; value < kValues; ++value)
    counters.counter("x", "", {{"a", std::to_string(value)}}).add();
  const auto families = counters.read();
  ASSERT_EQ(families[0].series.size(), CounterRegistry::kMostSeries + 1);
  std::uint64_t sum = 0;
  for (const auto& series : families[0].series) sum += series.value;
  EXPECT_EQ(sum, kValues);
  EXPECT_EQ(counters.counter("x", "", {{"a", "other"}}).value(), kValues - CounterRegistry::kMostSeries);
}

TEST(CounterRegistry, CountsWhatManyThreadsAdd) {
  CounterRegistry counters;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) counters.counter("x", "", {{"a", std::to_string(i % 3)}}).add();
    });
  }
  for (auto& thread : threads) thread.join();
  std::uint64_t sum = 0;
  const auto families = counters.read();
  for (const auto& series : families[0].series) sum += series.value;
  EXPECT_EQ(sum, 4'000U);
}

}  // namespace
}  // namespace tidings::telemetry::test
