#include "architecture/size_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FileRule, SourceFilesAreUnder500Lines) { EXPECT_THAT(long_files(tree_files()), IsEmpty()); }

TEST(FolderRule, FoldersOfSourcesHaveAtMost20Files) {
  EXPECT_THAT(crowded_folders(tree_files(), {}), IsEmpty());
}

// The proof that the rules can be broken, with files that are made up.

TreeFile file_of(std::size_t lines, const std::string& path = "bus/src/a.cpp") {
  return {path, std::string(lines, '\n')};
}

std::vector<TreeFile> files_in(const std::string& folder, std::size_t count) {
  std::vector<TreeFile> files = {{folder + "/README.md", ""}, {folder + "/deeper/a.cpp", ""}};
  for (std::size_t number = 0; number < count; ++number)
    files.push_back({folder + "/file_" + std::to_string(number) + ".hpp", ""});
  return files;
}

TEST(FileRule, RefusesALongFile) {
  EXPECT_THAT(long_files({file_of(499)}), IsEmpty());
  EXPECT_THAT(long_files({file_of(500)}), ElementsAre("bus/src/a.cpp has 500 lines"));
  EXPECT_THAT(long_files({file_of(500, "docs/a.md")}), IsEmpty());
}

TEST(FolderRule, RefusesACrowdedFolder) {
  EXPECT_THAT(crowded_folders(files_in("bus/src", 20), {}), IsEmpty());
  EXPECT_THAT(crowded_folders(files_in("bus/src", 21), {}), ElementsAre("bus/src has 21 files of 20"));
  EXPECT_THAT(crowded_folders(files_in("bus/src/queue", 21), {}),
              ElementsAre("bus/src/queue has 21 files of 20"));
  EXPECT_THAT(crowded_folders(files_in("tests/bus", 21), {}), IsEmpty());
}

TEST(FolderRule, AnAllowanceIsUsedUpToItsNumberAndOnlyWhileItIsNeeded) {
  EXPECT_THAT(crowded_folders(files_in("bus/src", 22), {{"bus/src", 22}}), IsEmpty());
  EXPECT_THAT(crowded_folders(files_in("bus/src", 23), {{"bus/src", 22}}),
              ElementsAre("bus/src has 23 files of 22"));
  EXPECT_THAT(crowded_folders(files_in("bus/src", 20), {{"bus/src", 22}}),
              ElementsAre("bus/src needs no allowance any more"));
  EXPECT_THAT(crowded_folders({}, {{"gone/src", 22}}), ElementsAre("gone/src needs no allowance any more"));
}

}  // namespace
}  // namespace tidings::architecture
