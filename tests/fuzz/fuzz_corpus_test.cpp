#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// Every fuzz target, under the name its object library gives it, replays its corpus: each crash that a fuzzer
// ever found stays found.
using FuzzFunction = int(const std::uint8_t* data, std::size_t size);
#define FUZZ_TARGET(name) extern "C" FuzzFunction fuzz_##name;
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace {

struct Target {
  std::string name;
  FuzzFunction* run;
};

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
#define FUZZ_TARGET(name) {#name, fuzz_##name},
#include "fuzz_targets.inc"
#undef FUZZ_TARGET
  };
  return all;
}

std::vector<std::filesystem::path> inputs_of(const std::string& target) {
  std::vector<std::filesystem::path> inputs;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(TIDINGS_FUZZ_CORPUS) / target)) {
    inputs.push_back(entry.path());
  }
  return inputs;
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void run(const Target& target, const std::string& input) {
  EXPECT_EQ(target.run(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()), 0);
}

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, IsReplayedWithoutAFault) {
  const auto inputs = inputs_of(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  for (const auto& path : inputs) {
    SCOPED_TRACE(path.filename().string());
    run(GetParam(), content_of(path));
  }
}

TEST_P(FuzzCorpus, EveryPrefixOfItIsReplayedWithoutAFault) {
  for (const auto& path : inputs_of(GetParam().name)) {
    SCOPED_TRACE(path.filename().string());
    const std::string whole = content_of(path);
    for (std::size_t length = 0; length < whole.size(); ++length) run(GetParam(), whole.substr(0, length));
  }
}

TEST_P(FuzzCorpus, SingleBitsOfItMayFlip) {
  for (const auto& path : inputs_of(GetParam().name)) {
    SCOPED_TRACE(path.filename().string());
    std::string input = content_of(path);
    for (std::size_t i = 0; i < input.size(); i += 3) {
      const char whole = input[i];
      input[i] = static_cast<char>(whole ^ (1 << (i % 8)));
      run(GetParam(), input);
      input[i] = whole;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Target, FuzzCorpus, testing::ValuesIn(targets()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
