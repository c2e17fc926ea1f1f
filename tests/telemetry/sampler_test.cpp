#include "sampling/sampler_environment.hpp"

#include <tidings/error.hpp>
#include <tidings/ids.hpp>
#include <tidings/telemetry/sampler.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidings::telemetry {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Whose last 56 bits are these.
TraceId trace_with(std::uint64_t randomness) {
  TraceId trace{};
  trace.bytes[0] = 1;
  for (std::size_t i = 16; i-- > 8; randomness >>= 8U) trace.bytes[i] = static_cast<std::uint8_t>(randomness);
  return trace;
}

TEST(SamplerTest, AlwaysIsAlwaysAndNeverNever) {
  for (const std::uint64_t randomness : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    for (const auto parent : {std::optional<bool>(), std::optional(true), std::optional(false)}) {
      EXPECT_TRUE(Sampler::always_on().samples(trace_with(randomness), parent));
      EXPECT_FALSE(Sampler::always_off().samples(trace_with(randomness), parent));
      EXPECT_TRUE(Sampler::ratio(1).samples(trace_with(randomness), parent));
      EXPECT_FALSE(Sampler::ratio(0).samples(trace_with(randomness), parent));
    }
  }
}

// The thresholds of the specification's examples: 25 % is `th:c`, 10 % `th:e6666666666666`, 50 % `th:8`.
TEST(SamplerTest, ARatioSamplesFromTheThresholdOfTheSpecificationOn) {
  const std::vector<std::pair<double, std::uint64_t>> thresholds = {{0.25, 0xC0000000000000},
                                                                    {0.5, 0x80000000000000},
                                                                    {0.1, 0xE6666666666666},
                                                                    {0x1p-56, 0xFFFFFFFFFFFFFF}};
  for (const auto& [ratio, threshold] : thresholds) {
    EXPECT_TRUE(Sampler::ratio(ratio).samples(trace_with(threshold), {})) << ratio;
    EXPECT_FALSE(Sampler::ratio(ratio).samples(trace_with(threshold - 1), {})) << ratio;
  }
}

TEST(SamplerTest, TheFirstNineBytesOfATraceIdDoNotMatter) {
  TraceId trace = trace_with(0xC0000000000000);
  for (std::size_t i = 0; i < 9; ++i) trace.bytes[i] = 0xFF;
  EXPECT_TRUE(Sampler::ratio(0.25).samples(trace, {}));
  EXPECT_FALSE(Sampler::ratio(0.2).samples(trace, {}));
}

RC_GTEST_PROP(SamplerProperty, ALargerRatioSamplesWhateverASmallerOneDoes, ()) {
  const auto trace = trace_with(*rc::gen::arbitrary<std::uint64_t>());
  const double one = *rc::gen::inRange(0, 1'000) / 999.0;
  const double other = *rc::gen::inRange(0, 1'000) / 999.0;
  if (Sampler::ratio(std::min(one, other)).samples(trace, {}))
    RC_ASSERT(Sampler::ratio(std::max(one, other)).samples(trace, {}));
}

TEST(SamplerTest, ARatioIsThatOfRandomTraces) {
  const Sampler sampler = Sampler::ratio(0.1);
  int sampled = 0;
  for (int i = 0; i < 100'000; ++i) sampled += sampler.samples(trace_with(random_bits()), {}) ? 1 : 0;
  EXPECT_NEAR(sampled, 10'000, 600);  // six standard deviations
}

TEST(SamplerTest, WhatTheParentDecidedHolds) {
  const TraceId unlucky = trace_with(0);
  const TraceId lucky = trace_with(~std::uint64_t{0});
  const Sampler sampler = Sampler::parent_based(Sampler::ratio(0.5));
  EXPECT_TRUE(sampler.samples(unlucky, true));
  EXPECT_FALSE(sampler.samples(lucky, false));
  EXPECT_TRUE(sampler.samples(lucky, {}));
  EXPECT_FALSE(sampler.samples(unlucky, {}));
  EXPECT_TRUE(Sampler().samples(unlucky, {}));
  EXPECT_FALSE(Sampler().samples(unlucky, false));
}

TEST(SamplerTest, ARatioIsFromNoneToAll) {
  for (const double ratio : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_THROW(static_cast<void>(Sampler::ratio(ratio)), Error) << ratio;
}

Sampler sampler_named_in(const std::map<std::string, std::string>& variables,
                         std::vector<SettingProblem>& problems) {
  return sampler_of(
      [&](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      problems);
}

TEST(SamplerTest, IsNamedByTheEnvironment) {
  const std::vector<std::pair<std::string, Sampler>> samplers = {
      {"", Sampler()},
      {"always_on", Sampler::always_on()},
      {"always_off", Sampler::always_off()},
      {"traceidratio", Sampler::ratio(0.25)},
      {"parentbased_always_on", Sampler()},
      {"ParentBased_Always_Off", Sampler::parent_based(Sampler::always_off())},
      {"parentbased_traceidratio", Sampler::parent_based(Sampler::ratio(0.25))}};
  for (const auto& [name, sampler] : samplers) {
    std::vector<SettingProblem> problems;
    EXPECT_EQ(
        sampler_named_in({{"OTEL_TRACES_SAMPLER", name}, {"OTEL_TRACES_SAMPLER_ARG", "0.25"}}, problems),
        sampler)
        << name;
    EXPECT_THAT(problems, IsEmpty()) << name;
  }
}

TEST(SamplerTest, AnotherNameIsToldAndTheDefaultUsed) {
  for (const char* name : {"jaeger_remote", "parentbased_", "parentbased_parentbased_always_on", "0.5"}) {
    std::vector<SettingProblem> problems;
    EXPECT_EQ(sampler_named_in({{"OTEL_TRACES_SAMPLER", name}}, problems), Sampler());
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_EQ(problems[0].used_instead, "parentbased_always_on");
  }
}

TEST(SamplerTest, AnArgumentThatIsNoRatioIsToldAndAllIsSampled) {
  for (const char* argument : {"2", "-1", "nan", "50%", "0,5", "1e"}) {
    std::vector<SettingProblem> problems;
    EXPECT_EQ(sampler_named_in(
                  {{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", argument}}, problems),
              Sampler::ratio(1));
    ASSERT_THAT(problems, SizeIs(1)) << argument;
    EXPECT_EQ(problems[0].variable, "OTEL_TRACES_SAMPLER_ARG");
  }
  std::vector<SettingProblem> problems;
  EXPECT_EQ(sampler_named_in({{"OTEL_TRACES_SAMPLER", "traceidratio"}}, problems), Sampler::ratio(1));
  EXPECT_THAT(problems, IsEmpty());
}

}  // namespace
}  // namespace tidings::telemetry
