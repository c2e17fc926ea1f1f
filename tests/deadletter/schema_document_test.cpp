#include "deadletter/store_fixture.hpp"

#include "schema/schema.hpp"

#include <tidings/minutes.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// docs/schema.md, the promise that operators rely on.
class SchemaDocumentTest : public StoreTest {
 protected:
  SchemaDocumentTest()
      : document_(read_file(std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() /
                            "docs" / "schema.md")) {
    const auto store = open();
    static_cast<void>(this->store(*store, letters(1, 3)));
    const auto minute = std::chrono::floor<std::chrono::minutes>(std::chrono::system_clock::now());
    const MinuteRow counted{minute, "orders.order_placed", "send_receipt", {.handled = 3, .failed = 1}};
    store->minutes()->add("shop", {&counted, 1});
    store->minutes()->flush();
  }

  /// What stands between the fences of each ```sql block.
  [[nodiscard]] std::vector<std::string> snippets() const {
    static const std::string begin = "```sql\n";
    std::vector<std::string> found;
    for (auto at = document_.find(begin); at != std::string::npos; at = document_.find(begin, at)) {
      at += begin.size();
      found.push_back(document_.substr(at, document_.find("```", at) - at));
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& sql) const {
    SQLite::Database connection(database().native(), SQLite::OPEN_READONLY);
    SQLite::Statement statement(connection, sql);
    std::vector<std::string> result;
    while (statement.executeStep()) result.push_back(statement.getColumn(0).getString());
    return result;
  }

  const std::string document_;
};

TEST_F(SchemaDocumentTest, EveryExampleRuns) {
  ASSERT_GE(snippets().size(), 5U);
  for (const std::string& snippet : snippets()) EXPECT_NO_THROW(execute(snippet)) << snippet;
}

TEST_F(SchemaDocumentTest, EveryExampleFindsWhatIsThere) {
  for (const std::string& snippet : snippets()) {
    if (!snippet.starts_with("SELECT")) continue;
    SQLite::Database connection(database().native(), SQLite::OPEN_READONLY);
    SQLite::Statement statement(connection, snippet);
    EXPECT_TRUE(statement.executeStep()) << snippet;
  }
}

TEST_F(SchemaDocumentTest, DescribesEveryTableIndexAndView) {
  for (const auto& name : names("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")) {
    EXPECT_THAT(document_, HasSubstr("`" + name + "`"));
  }
}

TEST_F(SchemaDocumentTest, DescribesEveryColumnWithItsType) {
  for (const auto& column : names(
           "SELECT '| `' || name || '` | ' || lower(type) || ' |' FROM pragma_table_info('dead_letters')")) {
    EXPECT_THAT(document_, HasSubstr(column));
  }
}

TEST_F(SchemaDocumentTest, DescribesEveryKeyOfTheMetaTable) {
  for (const auto& key : names("SELECT key FROM tidings_meta"))
    EXPECT_THAT(document_, HasSubstr("| `" + key + "` |"));
}

TEST_F(SchemaDocumentTest, TheViewHasTheTablesColumnsInItsOrder) {
  EXPECT_EQ(names("SELECT name FROM pragma_table_info('dead_letters_readable')"),
            names("SELECT name FROM pragma_table_info('dead_letters')"));
}

TEST_F(SchemaDocumentTest, TheViewShowsTimesAsIso8601) {
  execute("UPDATE dead_letters SET failed_at = 1800000001000042, redrive_requested_at = 0 WHERE id = 1");
  EXPECT_EQ(query("SELECT failed_at FROM dead_letters_readable WHERE id = 1"), "2027-01-15T08:00:01.000042Z");
  EXPECT_EQ(query("SELECT redrive_requested_at FROM dead_letters_readable WHERE id = 1"),
            "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(query("SELECT reprocessed_at IS NULL FROM dead_letters_readable WHERE id = 1"), "1");
}

TEST_F(SchemaDocumentTest, RefusesRowsThatAreResolvedByHalf) {
  EXPECT_THROW(execute("UPDATE dead_letters SET reprocessed_at = 1"), SQLite::Exception);
  EXPECT_THROW(execute("UPDATE dead_letters SET resolution = 'discarded'"), SQLite::Exception);
  EXPECT_THROW(execute("UPDATE dead_letters SET failed_at = 'yesterday'"), SQLite::Exception);
}

TEST_F(SchemaDocumentTest, StoresDataSoThatSqlCanReadIt) {
  DeadLetter full = letter(9);
  full.metadata.fields = {{"tenant", "ac\"me"}};
  full.attempts.front().error_message = "line\n\"two\"";
  static_cast<void>(store(*open(), {full}));
  EXPECT_EQ(query("SELECT event_data ->> 'order_id' FROM dead_letters WHERE id = 4"), "9");
  EXPECT_EQ(query("SELECT attributes ->> 'tenant' FROM dead_letters WHERE id = 4"), "ac\"me");
  EXPECT_EQ(query("SELECT attempts ->> '$[0].error_message' FROM dead_letters WHERE id = 4"),
            "line\n\"two\"");
  EXPECT_EQ(query("SELECT attempts ->> '$[0].duration_us' FROM dead_letters WHERE id = 4"), "1500");
}

}  // namespace
}  // namespace tidings::deadletter
