#include "check_dead_letters/database_label.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace tidings::check_dead_letters {
namespace {

using namespace std::string_literals;

/// Paths of which some are what others would become.
std::vector<std::string> alike() {
  std::vector<std::string> paths = {"a%3Db.db", "a\\x0ab.db", "a\xff.db",
                                    "a%FF.db",  "a\u00e9.db", "a\u200b.db"};
  for (char c = 1; c > 0; ++c) paths.push_back("a"s + c + "b.db");
  return paths;
}

TEST(DatabaseLabel, OfOrdinaryPathsIsThePath) {
  for (const char* path : {"/var/lib/orders/orders.db", "a b_c-d.db"}) {
    EXPECT_EQ(database_label(path), path);
    EXPECT_EQ(performance_label(path), path);
  }
  EXPECT_EQ(database_label("Aufträge.db"), "Aufträge.db");
}

TEST(DatabaseLabel, WritesWhatDoesNotFitAsBytes) {
  EXPECT_EQ(performance_label("a=b|c'd%.db"), "a%3Db%7Cc%27d%25.db");
  EXPECT_EQ(performance_label("\u00e9.db"), "%C3%A9.db");
  EXPECT_EQ(database_label("a=b|c'd%\n\xff.db"), "a=b|c'd%25%0A%FF.db");
  EXPECT_EQ(database_label("\u202e.db"), "%E2%80%AE.db");
}

TEST(DatabaseLabel, IsNeverThatOfAnotherPath) {
  const auto paths = alike();
  std::set<std::string> labels;
  std::set<std::string> of_performance;
  for (const std::string& path : paths) {
    labels.insert(database_label(path));
    of_performance.insert(performance_label(path));
  }
  EXPECT_EQ(labels.size(), paths.size());
  EXPECT_EQ(of_performance.size(), paths.size());
}

}  // namespace
}  // namespace tidings::check_dead_letters
