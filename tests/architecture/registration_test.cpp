#include "architecture/command.hpp"
#include "architecture/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::Contains;

/// The source files of everything that an ordinary build makes, as the build system wrote them down.
std::set<std::string> compiled_sources() {
  std::ifstream stream(TIDINGS_COMPILED_SOURCES);
  std::set<std::string> sources;
  for (std::string line; std::getline(stream, line);) sources.insert(line);
  return sources;
}

/// Sources that belong to no target of this build: the consumer is a project of its own, and benchmarks and
/// the tests with opentelemetry-cpp have an option each.
bool is_built_elsewhere(const TreeFile& file) {
  return file.is_below("tests/packaging") || file.is_below("bench") ||
         file.is_below("tests/opentelemetry_api");
}

TEST(Registration, CompilesEverySourceFile) {
  const auto compiled = compiled_sources();
  for (const TreeFile& file : tree_files()) {
    if (!file.path.ends_with(".cpp") || is_built_elsewhere(file)) continue;
    EXPECT_THAT(compiled, Contains((tree_root() / file.path).string()));
  }
}

/// `Suite.Name` of a test that CTest calls `[prefix.][instance/]Suite[/type].Name[/parameter]`: both
/// readings, if it has one slash before the name.
void add_plain_names(const std::string& registered, std::set<std::string>& names) {
  const std::size_t dot = registered.find_last_of('.');
  if (dot == std::string::npos) return;
  const std::string name = registered.substr(dot + 1);
  const std::string all = registered.substr(0, dot);
  std::stringstream suites(all.substr(all.find_last_of('.') + 1));
  for (std::string suite; std::getline(suites, suite, '/');)
    names.insert(suite + '.' + name.substr(0, name.find('/')));
}

/// `Suite.Name` of each test that CTest would run.
std::set<std::string> registered_tests() {
  const auto listing =
      run_command("'" TIDINGS_CTEST "' --test-dir '" TIDINGS_BINARY_DIR "' --show-only=json-v1");
  const auto json = nlohmann::json::parse(listing.output.substr(listing.output.find('{')));
  std::set<std::string> names;
  for (const auto& test : json.at("tests")) add_plain_names(test.at("name").get<std::string>(), names);
  return names;
}

/// Suite and name of each test that a file defines.
std::vector<std::pair<std::string, std::string>> tests_in(const TreeFile& file) {
  static const std::regex definition(
      R"(\n(?:TYPED_|RC_G)?TEST(?:_[FP]|_PROP(?:_FIXTURE)?)?\(\s*(\w+),\s*(\w+))");
  std::vector<std::pair<std::string, std::string>> tests;
  for (auto match = std::sregex_iterator(file.text.begin(), file.text.end(), definition);
       match != std::sregex_iterator(); ++match) {
    tests.emplace_back((*match)[1], (*match)[2]);
  }
  return tests;
}

/// Whether a file runs a suite that a header defines.
bool instantiates_a_suite(const TreeFile& file) {
  return file.text.find("\nINSTANTIATE_") != std::string::npos;
}

TEST(Registration, RunsEveryTestOfEveryTestFile) {
  const auto names = registered_tests();
  for (const TreeFile& file : tree_files()) {
    if (!file.path.ends_with("_test.cpp") || is_built_elsewhere(file)) continue;
    const auto tests = tests_in(file);
    EXPECT_TRUE(!tests.empty() || instantiates_a_suite(file)) << file.path << " has no tests";
    for (const auto& [suite, name] : tests) {
      EXPECT_TRUE(names.contains(suite + '.' + name))
          << file.path << ": CTest does not run " << suite << "." << name;
    }
  }
}

}  // namespace
}  // namespace tidings::architecture
