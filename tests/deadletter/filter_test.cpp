#include "deadletter/store_fixture.hpp"

#include "letters/query.hpp"
#include "schema/schema.hpp"

#include <ostream>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FilterTest : public StoreTest {
 protected:
  FilterTest() {
    auto all = letters(1, 6);
    all[1].event_type = "orders.order_cancelled";
    all[2].handler = "update_stock";
    all[3].service = "shipping";
    all[4].error_fingerprint = "00000000000000bb";
    all[5].reason = Reason::Permanent;
    all[5].metadata.correlation_id = CorrelationId::parse("request-6").value();
    static_cast<void>(store(*open(), all));
    execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded' WHERE id = 1");
  }

  [[nodiscard]] std::vector<std::int64_t> matching(const Filter& filter) const {
    auto reader = Reader::open(database());
    std::vector<std::int64_t> ids;
    for (const auto& stored : reader.list(filter, 100).letters) ids.insert(ids.begin(), stored.id);
    EXPECT_EQ(reader.count(filter), static_cast<std::int64_t>(ids.size()));
    const auto oldest = reader.oldest(filter);
    EXPECT_EQ(oldest ? oldest->id : 0, ids.empty() ? 0 : ids.front());
    std::int64_t grouped = 0;
    for (const Group& group : reader.groups(filter, 100)) grouped += group.count;
    EXPECT_EQ(grouped, static_cast<std::int64_t>(ids.size()));
    return ids;
  }
};

TEST_F(FilterTest, WithoutConditionsMatchesEverything) {
  EXPECT_THAT(matching({}), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(FilterTest, MatchesEachFieldExactly) {
  EXPECT_THAT(matching({.event_type = "orders.order_cancelled"}), ElementsAre(2));
  EXPECT_THAT(matching({.handler = "update_stock"}), ElementsAre(3));
  EXPECT_THAT(matching({.service = "shipping"}), ElementsAre(4));
  EXPECT_THAT(matching({.fingerprint = "00000000000000bb"}), ElementsAre(5));
  EXPECT_THAT(matching({.correlation_id = "request-6"}), ElementsAre(6));
  EXPECT_THAT(matching({.event_id = event_id(3)}), ElementsAre(3));
  EXPECT_THAT(matching({.reason = Reason::Permanent}), ElementsAre(6));
  EXPECT_THAT(matching({.event_type = "ORDERS.order_cancelled"}), IsEmpty());
}

TEST_F(FilterTest, MatchesUnresolvedOrResolved) {
  EXPECT_THAT(matching({.resolved = false}), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_THAT(matching({.resolved = true}), ElementsAre(1));
  EXPECT_THAT(matching({.event_type = "orders.order_cancelled", .resolved = false}), ElementsAre(2));
  EXPECT_THAT(matching({.handler = "update_stock", .resolved = false}), ElementsAre(3));
  EXPECT_THAT(matching({.fingerprint = "00000000000000bb", .resolved = false}), ElementsAre(5));
}

TEST_F(FilterTest, MatchesFromATimeUpToAnother) {
  EXPECT_THAT(matching({.since = failed_at(3), .until = failed_at(5)}), ElementsAre(3, 4));
  EXPECT_THAT(matching({.resolved = false, .since = failed_at(5)}), ElementsAre(5, 6));
  EXPECT_THAT(matching({.resolved = false, .until = failed_at(3)}), ElementsAre(2));
  EXPECT_THAT(matching({.since = failed_at(5), .until = failed_at(5)}), IsEmpty());
}

TEST_F(FilterTest, ConditionsAddUp) {
  EXPECT_THAT(matching({.event_type = "orders.order_placed",
                        .handler = "send_receipt",
                        .service = "orders",
                        .fingerprint = "00000000000000aa",
                        .reason = Reason::Exhausted,
                        .resolved = true}),
              ElementsAre(1));
}

TEST_F(FilterTest, MatchesLettersThatNoHandlerGaveUp) {
  execute("UPDATE dead_letters SET handler = '' WHERE id = 4");
  EXPECT_THAT(matching({.has_handler = false}), ElementsAre(4));
  EXPECT_THAT(matching({.resolved = false, .has_handler = true}), ElementsAre(2, 3, 5, 6));
}

class HeldBackTest : public FilterTest {
 protected:
  /// Letter 1 is resolved; 2 has died, and 3 to 6 are parked behind it.
  HeldBackTest() {
    execute("UPDATE dead_letters SET event_type = 't', handler = 'h', service = 's', ordering_key = 'k'");
    execute("UPDATE dead_letters SET reason = 'parked' WHERE id > 2");
  }
  [[nodiscard]] std::vector<std::int64_t> held_back_from(Filter asked_for) const {
    asked_for.resolved = false;
    Filter filter = asked_for;
    filter.held_back = true;
    filter.asked_for = std::make_shared<const Filter>(asked_for);
    return matching(filter);
  }
};

TEST_F(HeldBackTest, WhatIsParkedWaitsForAnEarlierLetterThatNobodyAskedFor) {
  EXPECT_THAT(matching({.held_back = true}), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(matching({.resolved = false, .held_back = false}), ElementsAre(2));
  execute("UPDATE dead_letters SET redrive_requested_at = 1 WHERE id = 2");
  EXPECT_THAT(matching({.held_back = true}), ElementsAre(4, 5, 6));
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'discarded' WHERE id = 2");
  EXPECT_THAT(matching({.held_back = true}), ElementsAre(4, 5, 6));
}

TEST_F(HeldBackTest, WhatIsAskedForTogetherHoldsNothingBack) {
  EXPECT_THAT(held_back_from({}), IsEmpty());
  EXPECT_THAT(held_back_from({.reason = Reason::Parked}), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(held_back_from({.ids = {{2, 3}}}), IsEmpty());
  EXPECT_THAT(held_back_from({.ids = {{2, 5}}}), ElementsAre(5));
  EXPECT_THAT(held_back_from({.ids = {{4, 5}}}), ElementsAre(4, 5));
  EXPECT_THAT(held_back_from({.where = {{"/no", "1"}}}), IsEmpty());
}

TEST_F(HeldBackTest, AnotherKeyOrHandlerHoldsNothingBack) {
  execute("UPDATE dead_letters SET ordering_key = 'other' WHERE id = 2");
  EXPECT_THAT(matching({.held_back = true}), ElementsAre(4, 5, 6));
  execute("UPDATE dead_letters SET handler = 'other' WHERE id = 4");
  EXPECT_THAT(matching({.held_back = true}), ElementsAre(5, 6));
}

TEST_F(HeldBackTest, TheLetterThatIsWaitedForIsNamed) {
  auto reader = Reader::open(database());
  const auto found = reader.find_held_back({.ids = {{5}}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, 5);
  EXPECT_EQ(found->behind, 2);
  EXPECT_FALSE(reader.find_held_back({.ids = {{2}}}));
  const Filter some{.ids = {{2, 5}}};
  EXPECT_EQ(
      reader.find_held_back({.ids = {{2, 5}}, .asked_for = std::make_shared<const Filter>(some)})->behind, 4);
}

TEST_F(FilterTest, HostileValuesAreOnlyValues) {
  for (const std::string& hostile :
       {std::string("' OR 1=1 --"), std::string("'; DROP TABLE dead_letters; --"),
        std::string("\" UNION SELECT * FROM tidings_meta"), std::string("%"), std::string("a\0b", 3),
        std::string("\xff\xfe"), std::string(1'000'000, '?')}) {
    EXPECT_THAT(matching({.event_type = hostile}), IsEmpty());
    EXPECT_THAT(matching({.handler = hostile, .service = hostile, .resolved = false}), IsEmpty());
    EXPECT_THAT(matching({.fingerprint = hostile, .correlation_id = hostile}), IsEmpty());
  }
  EXPECT_THAT(matching({}), ElementsAre(1, 2, 3, 4, 5, 6));
}

struct Plan {
  const char* name;
  Filter filter;
  const char* index;

  friend std::ostream& operator<<(std::ostream& out, const Plan& plan) { return out << plan.name; }
};

class QueryPlanTest : public StoreTest, public testing::WithParamInterface<Plan> {
 protected:
  /// SQLite's plan for a question on a new database, which has no statistics, one step a line.
  [[nodiscard]] std::string plan(std::string_view columns, std::string_view rest,
                                 const std::optional<Page::Cursor>& after = {}) const {
    static_cast<void>(open());
    Connection connection(database(), Access::ReadOnly, "", {});
    SQLite::Statement statement(connection.database(),
                                "EXPLAIN QUERY PLAN " + Query(GetParam().filter, after).sql(columns, rest));
    std::string steps;
    while (statement.executeStep()) steps += statement.getColumn(3).getString() + "\n";
    return steps;
  }
};

TEST_P(QueryPlanTest, CountsFromTheIndexAloneWithoutWalkingIt) {
  EXPECT_THAT(plan("count(*)", ""),
              AllOf(HasSubstr("SEARCH dead_letters USING COVERING INDEX"), HasSubstr(GetParam().index)));
}

TEST_P(QueryPlanTest, FindsTheOldestAndPagesWithoutSorting) {
  const Page::Cursor after{failed_at(50), 7};
  for (const auto& steps : {plan("*", "ORDER BY failed_at, id LIMIT 1"),
                            plan("*", "ORDER BY failed_at DESC, id DESC LIMIT 9", after)}) {
    EXPECT_THAT(steps, AllOf(HasSubstr("SEARCH dead_letters"), HasSubstr(GetParam().index),
                             Not(HasSubstr("B-TREE"))));
  }
}

TEST_P(QueryPlanTest, ReadsTheTableFromOneEndToTheOtherWhenTold) {
  static_cast<void>(open());
  SQLite::Database connection(database().native(), SQLite::OPEN_READONLY);
  Query query(GetParam().filter);
  query.read_in_table_order();
  SQLite::Statement statement(connection, "EXPLAIN QUERY PLAN " + query.sql("handler", ""));
  ASSERT_TRUE(statement.executeStep());
  EXPECT_EQ(statement.getColumn(3).getString(), "SCAN dead_letters");
  EXPECT_FALSE(statement.executeStep());
}

INSTANTIATE_TEST_SUITE_P(
    Questions, QueryPlanTest,
    testing::Values(Plan{"UnresolvedSince",
                         {.resolved = false, .since = failed_at(1)},
                         "dead_letters_unresolved_by_time (failed_at>"},
                    Plan{"UnresolvedOfAService",
                         {.service = "s", .resolved = false, .since = failed_at(1)},
                         "dead_letters_unresolved_by_time (failed_at>"},
                    Plan{"UnresolvedOfAType",
                         {.event_type = "t", .resolved = false, .since = failed_at(1)},
                         "dead_letters_unresolved_by_type (event_type=? AND failed_at>"},
                    Plan{"UnresolvedOfAHandler",
                         {.handler = "h", .resolved = false, .since = failed_at(1)},
                         "dead_letters_unresolved_by_handler (handler=? AND failed_at>"},
                    Plan{"UnresolvedOfACause",
                         {.fingerprint = "f", .resolved = false, .since = failed_at(1)},
                         "dead_letters_unresolved_by_fingerprint (error_fingerprint=? AND failed_at>"},
                    Plan{"AllOfAType",
                         {.event_type = "t", .since = failed_at(1)},
                         "dead_letters_by_type (event_type=? AND failed_at>"},
                    Plan{"AllSince", {.since = failed_at(1)}, "dead_letters_by_time (failed_at>"},
                    Plan{"AllUntil", {.until = failed_at(9)}, "dead_letters_by_time (failed_at<"}),
    [](const auto& plan) { return plan.param.name; });

class LookUpPlanTest : public QueryPlanTest {};

TEST_P(LookUpPlanTest, SearchesByTheIdentifier) {
  for (const auto& steps : {plan("count(*)", ""), plan("*", "ORDER BY failed_at DESC, id DESC LIMIT 9")}) {
    EXPECT_THAT(steps,
                AllOf(HasSubstr("SEARCH dead_letters"), HasSubstr(GetParam().index), Not(HasSubstr("SCAN"))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Identifiers, LookUpPlanTest,
    testing::Values(
        Plan{"ByCorrelation", {.correlation_id = "c"}, "dead_letters_by_correlation (correlation_id=?"},
        Plan{"ByEvent", {.event_id = event_id(1), .resolved = false}, "dead_letters_once (event_id=?"}),
    [](const auto& plan) { return plan.param.name; });

class ClaimPlanTest : public QueryPlanTest {};

TEST_P(ClaimPlanTest, LooksOnlyAtWhatIsClaimed) {
  EXPECT_THAT(plan("count(*)", ""), HasSubstr(GetParam().index));
}

INSTANTIATE_TEST_SUITE_P(Claims, ClaimPlanTest,
                         testing::Values(Plan{
                             "Running", {.resolved = false, .running = true}, "INDEX dead_letters_claimed"}),
                         [](const auto& plan) { return plan.param.name; });

class GroupPlanTest : public QueryPlanTest {};

TEST_P(GroupPlanTest, IsAnsweredFromTheIndexAlone) {
  const auto steps = plan("error_fingerprint, event_type, handler, service, failed_at", "");
  EXPECT_THAT(steps, HasSubstr("COVERING INDEX dead_letters_unresolved_by_time"));
}

INSTANTIATE_TEST_SUITE_P(Windows, GroupPlanTest,
                         testing::Values(Plan{"All", {.resolved = false}, ""},
                                         Plan{"Since", {.resolved = false, .since = failed_at(1)}, ""}),
                         [](const auto& plan) { return plan.param.name; });

}  // namespace
}  // namespace tidings::deadletter
