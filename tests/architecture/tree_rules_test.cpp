#include "architecture/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::architecture {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

template <class Predicate>
std::vector<std::string> lines_where(Predicate belongs, std::string_view part) {
  std::vector<std::string> found;
  for (const TreeFile& file : tree_files()) {
    if (!belongs(file)) continue;
    const auto lines = lines_with(file, part);
    found.insert(found.end(), lines.begin(), lines.end());
  }
  return found;
}

bool is_test(const TreeFile& file) { return file.is_below("tests") && file.is_source(); }
bool is_any(const TreeFile&) { return true; }

// Guards every rule below against looking at nothing.
TEST(Tree, IsFound) {
  EXPECT_THAT(lines_where(is_test, "TEST(Tree, IsFound)"), Not(IsEmpty()));
  EXPECT_THAT(lines_where(is_any, "class Bus {"), Not(IsEmpty()));
}

/// What is forbidden, written so that this file does not break its own rules.
std::string halves(const char* first, const char* second) { return std::string(first) + second; }

constexpr std::array kModules = {"events", "logging", "bus", "deadletter", "telemetry", "tools"};

class ForbiddenInTests : public ::testing::TestWithParam<std::string> {};

TEST_P(ForbiddenInTests, IsAbsent) { EXPECT_THAT(lines_where(is_test, GetParam()), IsEmpty()); }

INSTANTIATE_TEST_SUITE_P(Sleeping, ForbiddenInTests,
                         ::testing::Values(halves("sleep", "_for"), halves("sleep", "_until"),
                                           halves("usl", "eep("), halves("nanosl", "eep("),
                                           halves(" sle", "ep(")));
INSTANTIATE_TEST_SUITE_P(SwitchedOff, ForbiddenInTests,
                         ::testing::Values(halves("DIS", "ABLED_"), halves("GTEST", "_SKIP")));

class ForbiddenInSources : public ::testing::TestWithParam<std::string> {};

TEST_P(ForbiddenInSources, IsAbsent) {
  EXPECT_THAT(lines_where([](const TreeFile& file) { return file.is_source(); }, GetParam()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Unfinished, ForbiddenInSources,
                         ::testing::Values(halves("TO", "DO"), halves("FIX", "ME"), halves("XX", "X:"),
                                           halves("HA", "CK")));
INSTANTIATE_TEST_SUITE_P(AroundTheDependencyLine, ForbiddenInSources, ::testing::Values("#include \"../"));

TEST(Tree, NamesNoPathOfOneMachine) {
  for (const std::string& path : {tree_root().string() + "/", halves("/ho", "me/"), halves("/ro", "ot/")}) {
    EXPECT_THAT(lines_where(is_any, path), IsEmpty());
  }
}

TEST(Tree, NamesSourceFilesInSnakeCase) {
  const std::regex snake_case("[a-z0-9]+(_[a-z0-9]+)*\\.[ch]pp");
  for (const TreeFile& file : tree_files()) {
    if (!file.is_source()) continue;
    EXPECT_TRUE(std::regex_match(fs::path(file.path).filename().string(), snake_case)) << file.path;
  }
}

TEST(Tree, GuardsHeadersWithPragmaOnce) {
  for (const TreeFile& file : tree_files()) {
    if (!file.path.ends_with(".hpp")) continue;
    EXPECT_THAT(file.text, StartsWith("#pragma once\n")) << file.path;
  }
}

/// nlohmann's own functions take a NUL byte for the end of the text, and build values of any depth.
TEST(Tree, ReadsJsonInOnePlaceOnly) {
  const std::regex call(
      R"((json|Json|Line)::(parse|sax_parse|accept|from_cbor|from_msgpack|from_ubjson|from_bson)\b|_json\b.*operator""|"_json\b|json(_pointer)?_literals)");
  const std::string the_place = "events/src/json/json_text.cpp";
  std::size_t calls = 0;
  for (const TreeFile& file : tree_files()) {
    if (!file.is_source() || file.is_below("tests") || file.is_below("bench")) continue;
    const auto found = std::distance(std::sregex_iterator(file.text.begin(), file.text.end(), call), {});
    if (file.path == the_place) {
      calls = static_cast<std::size_t>(found);
    } else {
      EXPECT_EQ(found, 0) << file.path;
    }
  }
  EXPECT_EQ(calls, 2U);
}

/// Files are made new, where nobody can have opened or linked them before, and never over a database's own:
/// who needs one takes OutputFile, ScratchFile, or create_file of the module deadletter.
TEST(Tree, MakesFilesInFewPlaces) {
  const std::regex call(R"(O_CREAT\b|O_TRUNC\b|mk(o?s?temp)\b|\bofstream\b|\bfopen\([^"]*"w|copy_file\()");
  const std::vector<std::string> the_places = {
      "deadletter/src/file/file_system.cpp", "deadletter/src/file/output_file.cpp",
      "logging/src/destinations/file_target.cpp", "telemetry/src/metrics/metrics_file.cpp",
      "tools/dead_letters/editor.cpp"};
  std::size_t places = 0;
  for (const TreeFile& file : tree_files()) {
    const bool ships = file.is_source() && std::any_of(kModules.begin(), kModules.end(),
                                                       [&](const char* each) { return file.is_below(each); });
    if (!ships || !std::regex_search(file.text, call)) continue;
    ++places;
    EXPECT_THAT(the_places, ::testing::Contains(file.path));
  }
  EXPECT_EQ(places, the_places.size());
}

TEST(Tree, HasExecutableScripts) {
  for (const char* script : {"scripts/demo", "scripts/test", "scripts/bench", ".ci/run"}) {
    const auto permissions = fs::status(tree_root() / script).permissions();
    EXPECT_NE(permissions & fs::perms::owner_exec, fs::perms::none) << script;
  }
}

}  // namespace
}  // namespace tidings::architecture
