#include <tidings/logging/capture.hpp>
#include <tidings/logging/sampling.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

class SamplingTest : public testing::Test {
 protected:
  Logger sampled(Processor processor) {
    return capture_.logger({.processors = {std::move(processor)}, .clock = clock_});
  }

  std::vector<int> numbers(std::string_view event) const {
    std::vector<int> found;
    for (const Json& record : capture_.records(event)) found.push_back(record.at("n").get<int>());
    return found;
  }

  static void log_ten(const Logger& log, std::string_view event, Level level = Level::Info) {
    for (int n = 1; n <= 10; ++n) log.log(level, event, {{"n", n}});
  }

  Capture capture_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
};

TEST_F(SamplingTest, ABurstKeepsItsFirstAndThenEveryNth) {
  log_ten(sampled(sample_bursts({.first = 3, .then_every = 3})), "flood");
  EXPECT_EQ(numbers("flood"), (std::vector<int>{1, 2, 3, 6, 9}));
}

TEST_F(SamplingTest, ARecordSaysHowManyWereSuppressedBeforeIt) {
  log_ten(sampled(sample_bursts({.first = 1, .then_every = 4})), "flood");
  const auto records = capture_.records("flood");
  ASSERT_EQ(records.size(), 3U);
  EXPECT_FALSE(records[0].contains("suppressed"));
  EXPECT_EQ(records[1].at("suppressed"), 3);
  EXPECT_EQ(records[2].at("suppressed"), 3);
}

TEST_F(SamplingTest, EachSecondAndEachEventNameIsCountedAnew) {
  const Logger log = sampled(sample_bursts({.first = 2, .then_every = 0}));
  log_ten(log, "a");
  log_ten(log, "b");
  clock_->advance(std::chrono::seconds(1));
  log_ten(log, "a");
  EXPECT_EQ(numbers("a"), (std::vector<int>{1, 2, 1, 2}));
  EXPECT_EQ(numbers("b"), (std::vector<int>{1, 2}));
  EXPECT_EQ(capture_.records("a")[2].at("suppressed"), 8);
}

TEST_F(SamplingTest, AClockThatStepsBackBeginsASecondOfItsOwn) {
  const Logger log = sampled(sample_bursts({.first = 1, .then_every = 0}));
  log_ten(log, "a");
  clock_->set_wall(Timestamp(std::chrono::seconds(5)));
  log_ten(log, "a");
  EXPECT_EQ(numbers("a"), (std::vector<int>{1, 1}));
}

TEST_F(SamplingTest, WarningsAndErrorsAlwaysPass) {
  log_ten(sampled(sample_bursts({.first = 0, .then_every = 0})), "bad", Level::Warning);
  log_ten(sampled(sample_one_in(100)), "worse", Level::Error);
  EXPECT_EQ(capture_.count("bad"), 10U);
  EXPECT_EQ(capture_.count("worse"), 10U);
}

TEST_F(SamplingTest, TheLevelUpToWhichIsSampledCanBeChosen) {
  log_ten(sampled(sample_bursts({.first = 1, .then_every = 0, .up_to = Level::Warning})), "bad",
          Level::Warning);
  EXPECT_EQ(capture_.count("bad"), 1U);
}

TEST_F(SamplingTest, OneInNKeepsTheFirstOfEachN) {
  log_ten(sampled(sample_one_in(4)), "flood");
  EXPECT_EQ(numbers("flood"), (std::vector<int>{1, 5, 9}));
  EXPECT_EQ(capture_.records("flood")[1].at("suppressed"), 3);
}

TEST_F(SamplingTest, OneInOneKeepsAllAndOneInZeroIsRefused) {
  log_ten(sampled(sample_one_in(1)), "flood");
  EXPECT_EQ(capture_.count("flood"), 10U);
  EXPECT_THROW(static_cast<void>(sample_one_in(0)), Error);
}

TEST_F(SamplingTest, AnEndlessSupplyOfEventNamesIsCountedTogetherInTheEnd) {
  const Logger log = sampled(sample_bursts({.first = 1, .then_every = 0}));
  for (int name = 0; name < 5000; ++name) log.info("event_" + std::to_string(name));
  EXPECT_EQ(capture_.lines().size(), 4097U) << "4,096 names, and the first of the rest";
}

}  // namespace
}  // namespace tidings::logging
