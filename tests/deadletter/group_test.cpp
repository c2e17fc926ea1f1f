#include <tidings/deadletter/operations.hpp>

#include "deadletter/store_fixture.hpp"

namespace tidings::deadletter {
namespace {

using ::testing::SizeIs;

class GroupTest : public StoreTest {
 protected:
  [[nodiscard]] std::vector<Group> groups(const std::vector<DeadLetter>& all, const Filter& filter = {},
                                          std::size_t limit = 100) const {
    static_cast<void>(store(*open(), all));
    return Reader::open(database()).groups(filter, limit);
  }
};

TEST_F(GroupTest, SaysAboutEachCauseWhatThereIsToSay) {
  auto all = letters(1, 4);
  all[1].error_message = "connection refused by 10.0.0.2";
  all[3].error_fingerprint = "00000000000000bb";
  const auto found = groups(all);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].count, 3);
  EXPECT_EQ(found[0].fingerprint, "00000000000000aa");
  EXPECT_EQ(found[0].event_type, "orders.order_placed");
  EXPECT_EQ(found[0].handler, "send_receipt");
  EXPECT_EQ(found[0].service, "orders");
  EXPECT_EQ(found[0].error_type, "std::runtime_error");
  EXPECT_EQ(found[0].first_failed_at, failed_at(1));
  EXPECT_EQ(found[0].last_failed_at, failed_at(3));
  EXPECT_EQ(found[1].count, 1);
}

TEST_F(GroupTest, ShowsTheErrorOfTheNewestLetter) {
  auto all = letters(1, 3);
  all[0].failed_at = failed_at(9);
  all[0].error_message = "the newest";
  EXPECT_EQ(groups(all).at(0).sample_error, "the newest");
}

TEST_F(GroupTest, ShowsOfLettersOfOneTimeTheLast) {
  auto all = letters(1, 2);
  all[0].failed_at = failed_at(2);
  all[1].error_message = "the last";
  EXPECT_EQ(groups(all).at(0).sample_error, "the last");
}

TEST_F(GroupTest, TellsHandlersAndServicesApart) {
  auto all = letters(1, 3);
  all[1].handler = "update_stock";
  all[2].service = "shipping";
  EXPECT_THAT(groups(all), SizeIs(3));
}

/// Letter by letter, and from the counts that triggers keep.
class TypesOfACauseTest : public GroupTest, public testing::WithParamInterface<Filter> {
 protected:
  /// Five letters of one cause: one, three and one of three types.
  static std::vector<DeadLetter> letters_of_three_types() {
    auto all = letters(1, 5);
    for (const std::size_t i : {1U, 2U, 4U}) all[i].event_type = "orders.order_cancelled";
    all[3].event_type = "orders.order_paid";
    return all;
  }
};

TEST_P(TypesOfACauseTest, AreOneGroup) {
  const auto found = groups(letters_of_three_types(), GetParam());
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].event_types, 3);
  EXPECT_EQ(found[0].event_type, "orders.order_cancelled") << "of the newest";
  EXPECT_EQ(found[0].newest_id, 5);
  EXPECT_EQ(found[0].count, 5);
  EXPECT_EQ(found[0].first_failed_at, failed_at(1));
  EXPECT_EQ(found[0].last_failed_at, failed_at(5));
}

TEST_P(TypesOfACauseTest, AreCountedAloneWhenOneIsAskedFor) {
  Filter filter = GetParam();
  filter.event_type = "orders.order_paid";
  const auto found = groups(letters_of_three_types(), filter);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].event_types, 1);
  EXPECT_EQ(found[0].newest_id, 4);
  EXPECT_EQ(found[0].count, 1);
  EXPECT_EQ(found[0].first_failed_at, failed_at(4));
  EXPECT_EQ(found[0].last_failed_at, failed_at(4));
}

INSTANTIATE_TEST_SUITE_P(Ways, TypesOfACauseTest, testing::Values(Filter{}, Filter{.resolved = false}),
                         [](const auto& ways) { return ways.index == 0 ? "ByLetters" : "ByCounts"; });

TEST_F(GroupTest, TakesItsSampleFromWhatTheFilterMatches) {
  auto all = letters(1, 3);
  all[0].error_message = "inside the window";
  const auto found = groups(all, {.until = failed_at(2)});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].count, 1);
  EXPECT_EQ(found[0].sample_error, "inside the window");
}

TEST_F(GroupTest, GivesTheLargestGroupsFirst) {
  auto all = letters(1, 6);
  for (const std::size_t i : {1U, 2U, 4U}) all[i].error_fingerprint = "00000000000000bb";
  all[5].error_fingerprint = "00000000000000cc";
  const auto found = groups(all, {}, 2);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].fingerprint, "00000000000000bb");
  EXPECT_EQ(found[1].fingerprint, "00000000000000aa");
}

TEST_F(GroupTest, CountsThatAreKeptAreThoseOfTheLetters) {
  auto all = letters(1, 6);
  all[1].handler = "update_stock";
  all[2].service = "shipping";
  all[3].event_type = "orders.order_paid";
  all[4].error_fingerprint = "00000000000000bb";
  static_cast<void>(store(*open(), all));
  Operations desk = Operations::open(database(), {"ann", "desk"});
  EXPECT_EQ(desk.discard({.ids = {{6}}}, "", {}).changed, 1);
  Reader reader = Reader::open(database());
  const Filter every;
  for (Filter filter : {every, Filter{.event_type = "orders.order_placed"}, Filter{.handler = "send_receipt"},
                        Filter{.service = "orders"}, Filter{.fingerprint = "00000000000000aa"},
                        Filter{.event_type = "orders.order_paid", .handler = "update_stock"}}) {
    filter.resolved = false;
    const auto kept = reader.count(filter);
    filter.since = Timestamp();  // letter by letter
    EXPECT_EQ(kept, reader.count(filter));
  }
  EXPECT_EQ(reader.count({.resolved = false}), 5);
}

}  // namespace
}  // namespace tidings::deadletter
