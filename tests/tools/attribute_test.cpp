#include "tools/dead_letters_fixture.hpp"

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class AttributeTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    execute(
        R"(UPDATE dead_letters SET attributes = '{"tenant":"acme","user_id":42,"vip":true}' WHERE id = 1)");
    execute(
        R"(UPDATE dead_letters SET attributes = '{"tenant":"acme","user_id":"42","vip":1}' WHERE id = 2)");
    execute(R"(UPDATE dead_letters SET attributes = '{"tenant":"other","ratio":0.5}' WHERE id = 3)");
  }
  /// The numbers of the letters that have all of these, oldest first.
  std::vector<int> found(std::vector<std::string> attributes) {
    std::vector<std::string> arguments{"list", "--sort", "oldest", "--json"};
    for (std::string& each : attributes) {
      arguments.emplace_back("--attribute");
      arguments.push_back(std::move(each));
    }
    std::vector<int> ids;
    const OrderedJson answer = call(std::move(arguments)).json();
    for (const auto& letter : answer.at("letters")) ids.push_back(letter.at("id"));
    return ids;
  }
};

TEST_F(AttributeTest, ChoosesLettersByAFieldOfTheirContext) {
  EXPECT_EQ(found({"tenant=acme"}), (std::vector{1, 2}));
  EXPECT_EQ(found({"tenant=other"}), std::vector{3});
  EXPECT_EQ(found({"user_id=42"}), (std::vector{1, 2})) << "the number and the text";
  EXPECT_EQ(found({"vip=true"}), std::vector{1});
  EXPECT_EQ(found({"vip=1"}), std::vector{2});
  EXPECT_EQ(found({"ratio=0.5"}), std::vector{3});
  EXPECT_EQ(found({"tenant=acme", "vip=true"}), std::vector{1});
  EXPECT_TRUE(found({"tenant="}).empty());
  EXPECT_TRUE(found({"no_such=acme"}).empty());
}

TEST_F(AttributeTest, HostileNamesAndValuesAreJustText) {
  for (const char* hostile :
       {"tenant'=acme", "a\"b=1", "$=acme", "tenant\"]=x", "*=acme", "tenant=' OR '1'='1", "\\=1"})
    EXPECT_TRUE(found({hostile}).empty()) << hostile;
}

TEST_F(AttributeTest, ADamagedColumnHasNoField) {
  execute("UPDATE dead_letters SET attributes = '{' WHERE id = 3");
  EXPECT_EQ(reader().count({.fields = {{"tenant", "acme"}}}), 2);
}

TEST_F(AttributeTest, GroupsAndChangesTakeIt) {
  EXPECT_EQ(call({"groups", "--attribute", "tenant=other", "--json"}).json().at("groups").size(), 1U);
  EXPECT_THAT(call({"groups", "--attribute", "tenant=acme"}).out, Not(HasSubstr("charge_card")));
  EXPECT_EQ(call({"discard", "--attribute", "tenant=acme", "--reason", "test"}).status, 0);
  EXPECT_EQ(unresolved(), 1);
  SqliteConnection audit(database_);
  EXPECT_EQ(audit.text("SELECT filter FROM tidings_audit WHERE verb = 'discard'").find("acme"),
            std::string::npos)
      << "values may be personal";
}

TEST_F(AttributeTest, GroupsAreMadeByTheValuesOfAField) {
  const OrderedJson by_tenant = call({"groups", "--by", "tenant", "--json"}).json();
  EXPECT_EQ(by_tenant.at("field"), "tenant");
  ASSERT_GE(by_tenant.at("values").size(), 2U);
  EXPECT_EQ(by_tenant.at("values")[0].at("value"), "acme");
  EXPECT_EQ(by_tenant.at("values")[0].at("letters"), 2);
  const OrderedJson by_user =
      call({"groups", "--by", "user_id", "--attribute", "tenant=acme", "--json"}).json();
  ASSERT_EQ(by_user.at("values").size(), 1U) << "the number 42 and its text are one";
  EXPECT_EQ(by_user.at("values")[0].at("value"), "42");
  const OrderedJson by_none = call({"groups", "--by", "no_such", "--json"}).json();
  ASSERT_EQ(by_none.at("values").size(), 1U);
  EXPECT_TRUE(by_none.at("values")[0].at("value").is_null());
}

TEST_F(AttributeTest, GroupsByAFieldNameTheNextCommand) {
  const auto answer = call({"groups", "--by", "tenant"});
  EXPECT_THAT(answer.out, HasSubstr("VALUE OF tenant"));
  EXPECT_THAT(answer.err, HasSubstr("list --attribute tenant=acme"));
  EXPECT_EQ(found({"tenant=acme"}).size(), 2U) << "what it advises";
  const OrderedJson one = call({"groups", "--by", "tenant", "--limit", "1", "--json"}).json();
  EXPECT_EQ(one.at("values").size(), 1U);
  EXPECT_EQ(one.at("more"), true);
  EXPECT_THAT(call({"groups", "--by", "tenant", "--handler", "send_receipt"}).err,
              HasSubstr("list --attribute tenant=acme --handler send_receipt"))
      << "as many as were counted";
  EXPECT_EQ(call({"groups", "--by", ""}).status, 64);
}

TEST_F(AttributeTest, AFieldThatIsNotThereIsToldOf) {
  EXPECT_THAT(call({"list", "--attribute", "tenant=Acme"}).err, HasSubstr("groups --by tenant\n"));
  EXPECT_THAT(call({"groups", "--by", "tenant"}).out, HasSubstr("acme")) << "what it advises";
  EXPECT_THAT(call({"retry", "--attribute", "order=7"}).err, HasSubstr("groups --by order\n"));
  EXPECT_THAT(call({"groups", "--by", "order"}).err,
              HasSubstr("None of these letters has a context field order."));
  EXPECT_THAT(call({"list", "--attribute", "tenant=acme"}).err, Not(HasSubstr("--by")));
}

TEST_F(AttributeTest, GroupsByASecretFieldAreMasked) {
  execute(R"(UPDATE dead_letters SET attributes = '{"api_key":"k-123-abc"}')");
  EXPECT_THAT(call({"groups", "--by", "api_key"}).out, Not(HasSubstr("k-123-abc")));
  EXPECT_THAT(call({"groups", "--by", "api_key"}).err, Not(HasSubstr("k-123-abc")));
  EXPECT_THAT(call({"groups", "--by", "api_key", "--json"}).out, Not(HasSubstr("k-123-abc")));
  EXPECT_THAT(call({"groups", "--by", "api_key", "--reveal"}).out, HasSubstr("k-123-abc"));
}

TEST_F(AttributeTest, GroupsTakeADamagedColumnForNoField) {
  execute("UPDATE dead_letters SET attributes = '{' WHERE id = 3");
  const OrderedJson values = call({"groups", "--by", "tenant", "--json"}).json().at("values");
  EXPECT_TRUE(values.at(values.size() - 1).at("value").is_null());
}

TEST_F(AttributeTest, NeedsANameAndAValue) {
  for (const char* bad : {"tenant", "=acme", ""}) {
    const auto answer = call({"list", "--attribute", bad});
    EXPECT_EQ(answer.status, 64);
    EXPECT_THAT(answer.err, AllOf(HasSubstr("--attribute"), HasSubstr("write name=value")));
  }
}

TEST_F(AttributeTest, AnAdvisedCommandRepeatsIt) {
  EXPECT_THAT(call({"list", "--attribute", "tenant=acme", "--limit", "1"}).err,
              HasSubstr("--attribute tenant=acme"));
}

TEST_F(AttributeTest, HowLongAnAttemptTookThatKilledTheProcessIsNotKnown) {
  execute(
      "UPDATE dead_letters SET attempts = json_array(json_object('at', 1, 'duration_us', 0, 'error_type', "
      "'tidings::crashed', 'error_message', 'the process died')) WHERE id = 1");
  EXPECT_THAT(call({"show", "1"}).out, HasSubstr("  1         1970-01-01 00:00:00.000 UTC\n"
                                                 "            tidings::crashed: the process died\n"));
}

TEST_F(AttributeTest, AttemptsHaveTheNumbersThatRecordsHave) {
  const std::string attempt =
      "json_object('at', 1, 'duration_us', 100, 'error_type', 'E', 'error_message', 'm')";
  const std::string death =
      "json_object('at', 1, 'duration_us', 0, 'error_type', 'tidings::crashed', 'error_message', 'died')";
  execute("UPDATE dead_letters SET retry_count = 1, attempts = json_array(" + death + ", " + attempt + ", " +
          attempt + ") WHERE id = 1");
  EXPECT_THAT(call({"show", "1"}).out,
              AllOf(HasSubstr("\n  -         1970"), HasSubstr("\n  1         1970"),
                    HasSubstr("\n  2         1970"), Not(HasSubstr("\n  3         1970"))));
  // A redrive that the process died in is counted.
  execute("UPDATE dead_letters SET retry_count = 1, attempts = json_array(" + attempt + ", " + death +
          ") WHERE id = 1");
  EXPECT_THAT(call({"show", "1"}).out, AllOf(HasSubstr("\n  1         1970"), HasSubstr("\n  2         1970"),
                                             Not(HasSubstr("\n  - "))));
}

TEST_F(AttributeTest, AttemptsAfterThoseThatAreNotKeptKeepTheirNumbers) {
  const std::string attempt =
      "json_object('at', 1, 'duration_us', 100, 'error_type', 'E', 'error_message', 'm')";
  execute("UPDATE dead_letters SET retry_count = 10, attempts = json_array(" + attempt + ", " + attempt +
          ", " + attempt + ", " + attempt + ") WHERE id = 1");
  EXPECT_THAT(call({"show", "1"}).out, AllOf(HasSubstr("\n  2         1970"),
                                             HasSubstr("\n  ...       7 more, not kept\n  10        1970"),
                                             HasSubstr("\n  11        1970")));
}

}  // namespace
}  // namespace tidings::dead_letters
