#include "deadletter/store_fixture.hpp"

#include <tidings/deadletter/reader.hpp>

namespace tidings::deadletter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PayloadValueTest : public StoreTest {
 protected:
  void put(const Json& payload) {
    auto each = letter(++count_);
    each.data = encode_data(payload);
    static_cast<void>(store(*store_, {each}));
  }
  [[nodiscard]] std::vector<std::int64_t> where(const std::string& pointer, const std::string& value) const {
    std::vector<std::int64_t> ids;
    for (const auto& each : Reader::open(database())
                                .list({.where = {{pointer, value}}}, 10, {}, ListOrder::OldestFirst)
                                .letters) {
      ids.push_back(each.id);
    }
    return ids;
  }

  std::shared_ptr<Store> store_ = open({.spill_reserve = 0});
  std::uint64_t count_ = 0;
};

TEST_F(PayloadValueTest, ChoosesByTextNumberAndTruth) {
  put({{"id", 42}, {"name", "a"}});
  put({{"id", "42"}, {"name", nullptr}});
  put({{"id", true}, {"name", "null"}});
  EXPECT_THAT(where("/id", "42"), ElementsAre(1, 2));
  EXPECT_THAT(where("/id", "\"42\""), ElementsAre(2));
  EXPECT_THAT(where("/id", "true"), ElementsAre(3));
  EXPECT_THAT(where("/name", "null"), ElementsAre(2, 3));
  EXPECT_THAT(where("/name", "b"), IsEmpty());
}

TEST_F(PayloadValueTest, LooksIntoArraysObjectsAndOddNames) {
  put({{"lines", {{{"sku", "x"}}, {{"sku", "y"}}}}, {"a/b", {{"~", 1}}}});
  put(Json::array({"x"}));
  EXPECT_THAT(where("/lines/1/sku", "y"), ElementsAre(1));
  EXPECT_THAT(where("/lines/7/sku", "y"), IsEmpty());
  EXPECT_THAT(where("/lines/-/sku", "y"), IsEmpty());
  EXPECT_THAT(where("/lines/01/sku", "y"), IsEmpty());
  EXPECT_THAT(where("/a~1b/~0", "1"), ElementsAre(1));
  EXPECT_THAT(where("/0", "x"), ElementsAre(2));
  EXPECT_THAT(where("", "[\"x\"]"), ElementsAre(2));
}

TEST_F(PayloadValueTest, DecodesWhatIsNoJsonAndPassesOverWhatCannotBeDecoded) {
  put({{"name", "\xff"}, {"id", 7}});
  put({{"id", 7}});
  put({{"id", 7}});
  execute("UPDATE dead_letters SET event_data = '{\"id\":7' WHERE id = 3");
  EXPECT_THAT(where("/id", "7"), ElementsAre(1, 2));
}

TEST_F(PayloadValueTest, NeverBecomesSql) {
  put({{"id", "'; DROP TABLE dead_letters; --"}});
  EXPECT_THAT(where("/id", "'; DROP TABLE dead_letters; --"), ElementsAre(1));
  EXPECT_THAT(where("/id') OR 1 = 1 --", "x"), IsEmpty());
}

TEST_F(PayloadValueTest, FiltersByNumbersMarksAndResolution) {
  static_cast<void>(store(*store_, letters(1, 4)));
  execute(
      "UPDATE dead_letters SET reprocessed_at = 9, resolution = 'discarded' WHERE id = 1;"
      "UPDATE dead_letters SET redrive_requested_at = 1 WHERE id = 2");
  auto reader = Reader::open(database());
  EXPECT_EQ(reader.count({.ids = {{1, 3, 77}}}), 2);
  EXPECT_EQ(reader.count({.marked = true}), 1);
  EXPECT_EQ(reader.count({.resolved = false, .marked = false}), 2);
  EXPECT_EQ(reader.count({.resolution = Resolution::Discarded}), 1);
  EXPECT_EQ(reader.count({.resolved_before = Timestamp(std::chrono::microseconds(9))}), 0);
  EXPECT_EQ(reader.count({.up_to_id = 3}), 3);
  EXPECT_EQ(reader.count({.ids = {std::vector<std::int64_t>{}}}), 0);
}

TEST_F(PayloadValueTest, PagesOldestFirst) {
  static_cast<void>(store(*store_, letters(1, 5)));
  auto reader = Reader::open(database());
  const Filter filter{.resolved = false, .since = failed_at(2)};
  const auto first = reader.list(filter, 2, {}, ListOrder::OldestFirst);
  ASSERT_TRUE(first.next);
  const auto second = reader.list(filter, 2, first.next, ListOrder::OldestFirst);
  EXPECT_EQ(first.letters.front().id, 2);
  EXPECT_EQ(second.letters.front().id, 4);
  EXPECT_FALSE(second.next);
}

TEST_F(PayloadValueTest, FindsLettersByTheBeginningOfTheirEventId) {
  static_cast<void>(store(*store_, letters(1, 2)));
  auto reader = Reader::open(database());
  const auto id = event_id(2).to_string();
  ASSERT_EQ(reader.find_by_event(id, 5).size(), 1U);
  EXPECT_EQ(reader.find_by_event(id, 5)[0].id, 2);
  EXPECT_EQ(reader.find_by_event(id.substr(0, 8), 5).size(), 2U);
  EXPECT_THAT(reader.find_by_event("zz", 5), IsEmpty());
}

TEST_F(PayloadValueTest, CountsByKindAndDay) {
  static_cast<void>(store(*store_, letters(1, 3)));
  execute(
      "UPDATE dead_letters SET reprocessed_at = 1, resolution = 'reprocessed', handler = 'b' WHERE id = 1");
  const auto statistics = Reader::open(database()).statistics({});
  EXPECT_EQ(statistics.letters, 3);
  EXPECT_EQ(statistics.unresolved, 2);
  ASSERT_EQ(statistics.by_handler.size(), 2U);
  EXPECT_EQ(statistics.by_handler[0].letters, 2);
  EXPECT_EQ(statistics.by_handler[1].name, "b");
  EXPECT_EQ(statistics.by_handler[1].unresolved, 0);
  ASSERT_EQ(statistics.by_day.size(), 1U);
  EXPECT_EQ(to_rfc3339(statistics.by_day[0].begin), "2027-01-01T00:00:00.000000Z");
}

TEST_F(PayloadValueTest, CountsTheSameWhetherMostLettersAreUnresolvedOrFew) {
  static_cast<void>(store(*store_, letters(1, 9)));
  const Filter unresolved{.resolved = false};
  EXPECT_EQ(Reader::open(database()).statistics(unresolved).letters, 9);
  execute("UPDATE dead_letters SET reprocessed_at = 1, resolution = 'reprocessed' WHERE id <> 5");
  EXPECT_EQ(Reader::open(database()).statistics(unresolved).letters, 1);
  EXPECT_EQ(Reader::open(database()).statistics({.resolved = true}).letters, 8);
  EXPECT_EQ(Reader::open(database()).statistics({.handler = letters(1, 1).front().handler}).letters, 9);
}

TEST_F(PayloadValueTest, ExaminationSaysWhatWaits) {
  static_cast<void>(store(*store_, letters(1, 3)));
  execute(
      "UPDATE dead_letters SET redrive_requested_at = 5 WHERE id <> 3;"
      "UPDATE dead_letters SET claimed_by = 'gone/1/1', claimed_until = 1 WHERE id = 2;"
      "INSERT INTO tidings_unserved_handlers (service, event_type, handler, owed, since) VALUES"
      " ('orders', 't', 'old', 9, 7)");
  const auto found = Reader::open(database()).examine(true);
  EXPECT_THAT(found.damage, IsEmpty());
  EXPECT_EQ(found.unresolved, 3);
  EXPECT_EQ(found.claims.stale, 1);
  EXPECT_EQ(found.claims.live, 0);
  ASSERT_EQ(found.waiting.size(), 1U);
  EXPECT_EQ(found.waiting[0].letters, 1);
  ASSERT_EQ(found.unserved.size(), 1U);
  EXPECT_EQ(found.unserved[0].owed, 9);
  EXPECT_GT(found.files.database_bytes, 0U);
  EXPECT_TRUE(found.counts_agree);
  execute("UPDATE tidings_causes SET unresolved = 7");
  EXPECT_FALSE(Reader::open(database()).examine(false).counts_agree);
}

}  // namespace
}  // namespace tidings::deadletter
