#include "architecture/module_rules.hpp"

#include "architecture/inclusions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Which modules a module may use. Telemetry, bridges and the like are to hang beside and above: each gets a
/// line of its own.
const ModuleTree kModuleTree = {
    {"events", {}},
    {"logging", {"events"}},
    {"bus", {"logging"}},
    {"deadletter", {"bus"}},
    {"encryption", {"events"}},
    {"telemetry", {"bus"}},
    {"tools", {"deadletter", "encryption"}},
};

TEST(ModuleTreeRule, HoldsForEveryInclusionAndLink) {
  EXPECT_THAT(forbidden_dependencies(kModuleTree, tree_files()), IsEmpty());
}

TEST(ModuleTreeRule, HasNoCycle) {
  Inclusions as_files;
  for (const auto& [module, below] : kModuleTree)
    for (const std::string& each : below) as_files["modules/" + module].insert("modules/" + each);
  EXPECT_THAT(cycles_in(as_files), IsEmpty());
}

// The proof that the rule can be broken, with trees that are made up.

const ModuleTree kTwoModules = {{"low", {}}, {"high", {"low"}}};
const std::vector<TreeFile> kGoodTree = {
    {"high/CMakeLists.txt", "tidings_module(high PUBLIC_LINK tidings::low)\n"},
    {"high/src/a.cpp", "#include \"a.hpp\"\n#include <tidings/low.hpp>\n#include <vector>\n"},
    {"high/src/a.hpp", "#pragma once\n"},
    {"low/include/tidings/low.hpp", "#pragma once\n"},
    {"tests/high/a_test.cpp", "#include \"a.hpp\"\n"},
};

std::vector<std::string> broken_with(const TreeFile& added) {
  std::vector<TreeFile> files = kGoodTree;
  files.push_back(added);
  return forbidden_dependencies(kTwoModules, files);
}

TEST(ModuleTreeRule, AllowsWhatIsBelow) {
  EXPECT_THAT(forbidden_dependencies(kTwoModules, kGoodTree), IsEmpty());
}

TEST(ModuleTreeRule, RefusesAnInclusionUpwards) {
  EXPECT_THAT(broken_with({"low/src/b.cpp", "#include \"high/src/a.hpp\"\n"}),
              ElementsAre("low/src/b.cpp includes high/src/a.hpp"));
}

TEST(ModuleTreeRule, RefusesALinkUpwards) {
  EXPECT_THAT(broken_with({"low/CMakeLists.txt", "tidings_module(low PUBLIC_LINK tidings::high)\n"}),
              ElementsAre("low/CMakeLists.txt links tidings::high"));
}

TEST(ModuleTreeRule, RefusesAModuleThatIncludesTests) {
  EXPECT_THAT(broken_with({"low/src/b.cpp", "#include \"tests/high/a_test.cpp\"\n"}),
              ElementsAre("low/src/b.cpp includes tests/high/a_test.cpp"));
}

TEST(ModuleTreeRule, KnowsEveryModule) {
  EXPECT_THAT(broken_with({"beside/src/b.cpp", ""}), ElementsAre("beside is not in the list of modules"));
  EXPECT_THAT(forbidden_dependencies({{"gone", {}}, {"high", {"low"}}, {"low", {}}}, kGoodTree),
              ElementsAre("gone is in the list of modules, and has no sources"));
}

TEST(InclusionRule, ThereIsNoCycleAmongTheFilesOfAModule) {
  const Inclusions inclusions = inclusions_of(tree_files());
  EXPECT_GT(inclusions.size(), 500U);
  EXPECT_THAT(cycles_in(inclusions), IsEmpty());
}

TEST(InclusionRule, FindsACycle) {
  const std::vector<TreeFile> files = {
      {"bus/include/tidings/bus.hpp", "#include <tidings/detail/core.hpp>\n"},
      {"bus/include/tidings/detail/core.hpp", "#pragma once\n  # include \"room/queue.hpp\"\n"},
      {"bus/src/a.cpp", "#include <tidings/bus.hpp>\n"},
      {"bus/src/room/queue.hpp", "#include <tidings/bus.hpp>\n"},
  };
  EXPECT_THAT(cycles_in(inclusions_of(files)),
              ElementsAre("bus/include/tidings/bus.hpp -> bus/include/tidings/detail/core.hpp -> "
                          "bus/src/room/queue.hpp -> bus/include/tidings/bus.hpp"));
  EXPECT_THAT(inclusions_of(files).at("bus/src/a.cpp"), SizeIs(1));
}

}  // namespace
}  // namespace tidings::architecture
