#include "tools/dead_letters_fixture.hpp"

#include <algorithm>
#include <string>

// How a request is told: dead-letters trace.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TraceTest : public DeadLettersTest {};

TEST_F(TraceTest, DrawsCausesAboveTheirEffects) {
  auto root = letter_that_failed(std::chrono::minutes(9));
  auto effect = letter_that_failed(std::chrono::minutes(8), "book_shipment", "no truck");
  auto second = letter_that_failed(std::chrono::minutes(7), "invoice", "no paper");
  for (auto* each : {&root, &effect, &second})
    each->metadata.correlation_id = CorrelationId::parse("r-9").value();
  effect.metadata.causation_id = root.metadata.event_id;
  second.metadata.causation_id = uuid_v7_source()->next(wall_now());
  store_letters(*deadletter::Store::open(database_), {second, effect, root});
  const auto answer = call({"trace", "r-9"});
  EXPECT_LT(answer.out.find("send_receipt"), answer.out.find("book_shipment"));
  EXPECT_THAT(answer.out, AllOf(HasSubstr("\n  `- orders.order_placed"),
                                HasSubstr("(no dead letter: handled, or purged)"),
                                HasSubstr("* letter 4, invoice: unresolved: SmtpTimeout: no paper")));
  EXPECT_EQ(call({"trace", "r-9", "--json"}).json().at("events").size(), 4U);
  EXPECT_EQ(call({"trace", "r-10"}).status, 66);
}

constexpr const char* kOwedId = "019a0000-0000-7000-8000-000000000001";
constexpr const char* kOwedRow =
    "INSERT INTO tidings_journal (id, event_id, event_type, schema_version, event_data, data_encoding, "
    "attributes,"
    " source, service, correlation_id, causation_id, causation_depth, published_at, handlers, foreign_id) "
    "VALUES"
    " (7, '019a0000-0000-7000-8000-000000000001', 'orders.order_packed', 1, '{}', 'json', '{}', '/p', "
    "'orders',"
    " 'request-7', (SELECT event_id FROM dead_letters WHERE id = 1), 1, 1767225600000000,"
    " json_array('pack', 'label'), 'C-7')";

TEST_F(TraceTest, ShowsWhatOfTheRequestTheJournalStillOwes) {
  execute(kOwedRow);
  execute(
      "INSERT INTO tidings_journal_deliveries (journal_id, handler, done, attempts_made, attempts, crashes)"
      " VALUES (7, 'pack', 1, 1, '[]', 0)");
  for (const char* id : {kOwedId, "C-7"}) {
    const auto answer = call({"trace", id});
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_THAT(answer.out,
                AllOf(HasSubstr("`- orders.order_packed"), HasSubstr("* label of service orders: still owed"),
                      HasSubstr("* letter 1"), Not(HasSubstr("* pack"))));
  }
  EXPECT_THAT(call({"trace", kOwedId}).err, HasSubstr("the journal still owes it"));
  EXPECT_THAT(call({"trace", "request-7"}).out, HasSubstr("still owed by the journal"));
  const OrderedJson events = call({"trace", kOwedId, "--json"}).json().at("events");
  const auto owed = std::find_if(events.begin(), events.end(),
                                 [](const auto& each) { return each.at("event_id") == kOwedId; });
  ASSERT_NE(owed, events.end());
  EXPECT_EQ(owed->at("owed"), OrderedJson::parse(R"([{"service":"orders","handler":"label"}])"));
  EXPECT_TRUE(owed->at("letters").empty());
}

TEST_F(TraceTest, OfARequestThatHasNotFailedSaysWhatIsOwed) {
  execute(kOwedRow);
  execute("UPDATE tidings_journal SET correlation_id = 'request-11', causation_id = NULL");
  const auto answer = call({"trace", "request-11"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("* pack"), HasSubstr("* label")));
  EXPECT_THAT(answer.err, HasSubstr("Nothing of this request has failed so far."));
}

TEST_F(TraceTest, FindsAnEventThatWasHandledByWhatItCaused) {
  execute("UPDATE dead_letters SET causation_id = '019a0000-0000-7000-8000-000000000001' WHERE id = 3");
  const auto answer = call({"trace", kOwedId});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("* letter 3"));
  EXPECT_THAT(answer.err,
              HasSubstr(std::string("The event ") + kOwedId + " has no dead letter: it was handled"));
  const auto unknown = call({"trace", "019a0000-0000-7000-8000-000000000002"});
  EXPECT_EQ(unknown.status, 66);
  EXPECT_THAT(unknown.err, HasSubstr("was handled, or is unknown here"));
}

}  // namespace
}  // namespace tidings::dead_letters
