#include "deadletter/old_version.hpp"
#include "deadletter/temporary_folder.hpp"
#include "tools/dead_letters_fixture.hpp"

namespace tidings::dead_letters {
namespace {

using ::testing::HasSubstr;

/// The programs on a database of version 2 that no service of this version has opened yet.
class SecondVersionToolsTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    database_ = path("old.db");
    deadletter::make_old_database(database_, 2);
    before_ = deadletter::contents_of(path("."));
  }
  void expect_unchanged() { EXPECT_EQ(deadletter::contents_of(path(".")), before_); }

 private:
  std::map<std::string, std::string> before_;
};

TEST_F(SecondVersionToolsTest, AreToldEverythingAndChangeNothing) {
  EXPECT_EQ(call({"groups", "--json"}).json().at("groups").size(), 2U);
  EXPECT_EQ(call({"list", "--all", "--json"}).json().at("letters").size(), 7U);
  EXPECT_EQ(call({"show", "5", "--json"}).json().at("letter").at("ordering_key"), "customer-7");
  EXPECT_TRUE(call({"stats", "--json"}).json().at("counted").is_null());
  EXPECT_THAT(call({"stats"}).err, HasSubstr("No counters: the database is of an older version"));
  EXPECT_EQ(call({"doctor", "--json"}).json().at("schema_version"), 2);
  EXPECT_THAT(call({"export", "--all"}).out, HasSubstr("customer-7"));
  EXPECT_TRUE(call({"show", "5", "--json"}).json().at("letter").at("foreign_id").is_null());
  EXPECT_EQ(call({"list", "--all", "--foreign-id", "x", "--json"}).json().at("letters").size(), 0U);
  expect_unchanged();
}

TEST_F(SecondVersionToolsTest, SayWhoMigratesItInsteadOfChangingIt) {
  for (const auto& arguments : {std::vector<std::string>{"retry", "1"},
                                {"discard", "1", "--reason", "known"},
                                {"edit", "1", "--set", "/order_id=2"},
                                {"erase", "1", "--yes"},
                                {"backup", path("copy.db")}}) {
    const auto answer = call(arguments);
    EXPECT_NE(answer.status, 0) << arguments.front();
    EXPECT_THAT(answer.err, HasSubstr("start the service, which migrates it")) << arguments.front();
  }
  expect_unchanged();
}

}  // namespace
}  // namespace tidings::dead_letters
