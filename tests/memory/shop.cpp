#include "memory/shop.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

namespace tidings::memory {

void ScarceMemoryTest::subscribe_inline(Bus& bus) {
  bus.subscribe<Order>("inline", done_by("inline")).keep();
  bus.subscribe<Order>("inline_fails", fails(), {.retry = {.max_attempts = 2}}).keep();
  bus.subscribe<Order>("inline_later", done_at_the_second_attempt_by("inline_later"),
                       {.retry = {.max_attempts = 50, .backoff = constant(1ms)}})
      .keep();
  static_cast<void>(done_["inline_fails"]);
}

void ScarceMemoryTest::subscribe_queued(Bus& bus) {
  const auto key = [](const Order& order) {
    return "the key of order number " + std::to_string(order.number);
  };
  bus.subscribe<Order>("queued", done_by("queued"), {.dispatch = Dispatch::Queued}).keep();
  bus.subscribe<Order>("keyed", done_at_the_second_attempt_by("keyed"),
                       {.dispatch = Dispatch::Queued,
                        .retry = {.max_attempts = 50, .backoff = constant(1ms)},
                        .concurrency = 2,
                        .ordering_key = key})
      .keep();
  bus.subscribe<Order>("parks", fails(),
                       {.dispatch = Dispatch::Queued,
                        .retry = {.max_attempts = 1},
                        .ordering_key = key,
                        .after_death = AfterDeath::Park})
      .keep();
  static_cast<void>(done_["parks"]);
}

void ScarceMemoryTest::subscribe_bank(Bus& bus) {
  bus.subscribe<Order>(
         "bank",
         [counts = &done_["bank"]](const Order& order, const EventContext& context) {
           const auto transaction = deadletter::transaction(context);
           const std::string sql = "INSERT INTO ledger VALUES (" + std::to_string(order.number) + ")";
           if (sqlite3_exec(transaction.connection(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
             throw std::runtime_error("cannot write to the ledger");
           static_cast<void>(counts);
         },
         {.dispatch = Dispatch::Queued, .retry = {.max_attempts = 50}})
      .keep();
}

void ScarceMemoryTest::expect_each_order_settled_once(const std::vector<std::string>& handlers) {
  std::map<std::pair<std::string, std::int64_t>, int> letters;
  SQLite::Database connection(database().native(), SQLite::OPEN_READONLY, 5000);
  SQLite::Statement rows(
      connection, "SELECT handler, ifnull(json_extract(event_data, '$.number'), -1) FROM dead_letters");
  while (rows.executeStep()) ++letters[{rows.getColumn(0).getString(), rows.getColumn(1).getInt64()}];
  std::map<std::int64_t, bool> exists;
  for (const std::int64_t order : accepted_) exists[order] = true;
  for (const std::string& handler : handlers) {
    for (std::int64_t order = 0; order < next_order_; ++order) {
      const int settled = done_[handler][static_cast<std::size_t>(order)] + letters[{handler, order}];
      ASSERT_EQ(settled, exists.contains(order) ? 1 : 0) << handler << ", order " << order;
    }
    EXPECT_EQ((letters[{handler, -1}]), 0) << "letters without what they are of, of " << handler;
  }
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal"), "0");
  EXPECT_GT(accepted_.size(), 0U);
}

}  // namespace tidings::memory
