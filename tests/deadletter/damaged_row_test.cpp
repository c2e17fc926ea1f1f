#include "deadletter/store_fixture.hpp"

#include <tidings/deadletter/recovery.hpp>

#include <ostream>

namespace tidings::deadletter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Damage {
  const char* column;
  const char* value;

  friend std::ostream& operator<<(std::ostream& out, const Damage& damage) { return out << damage.column; }
};

class DamagedRowTest : public StoreTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedRowTest, IsAnErrorThatNamesRowAndColumn) {
  static_cast<void>(store(*open(), letters(1, 2)));
  const auto [column, value] = GetParam();
  execute("PRAGMA ignore_check_constraints = ON; UPDATE dead_letters SET " + std::string(column) + " = " +
          value + " WHERE id = 2");
  auto reader = Reader::open(database());
  const auto message = error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(reader.find(2)); });
  EXPECT_THAT(message, AllOf(HasSubstr("dead letter 2"), HasSubstr(std::string("its ") + column + " ")));
  EXPECT_THAT(error_of(ErrorCode::DatabaseUnusable, [&] { static_cast<void>(reader.list({}, 10)); }),
              message);
  EXPECT_THAT(message, HasSubstr("dead-letters recover '" + database().native() + "'"));
  EXPECT_EQ(reader.find(1).value().id, 1);
  EXPECT_EQ(reader.count({}), 2);
}

INSTANTIATE_TEST_SUITE_P(Columns, DamagedRowTest,
                         testing::Values(Damage{"event_id", "'not-an-id'"},
                                         Damage{"schema_version", "99999999999"},
                                         Damage{"data_encoding", "'xml'"}, Damage{"attributes", "'[1]'"},
                                         Damage{"attributes", "'{\"a\":[1]}'"}, Damage{"attributes", "'{'"},
                                         Damage{"reason", "'tired' || char(10)"},
                                         Damage{"correlation_id", "''"}, Damage{"causation_id", "'x'"},
                                         Damage{"causation_depth", "-1"}, Damage{"traceparent", "'00-0'"},
                                         Damage{"retry_count", "-1"}, Damage{"attempts", "'null'"},
                                         Damage{"attempts", "'[{\"at\":\"x\"}]'"},
                                         Damage{"attempts", "printf('%.*c', 100000, '[')"},
                                         Damage{"resolution", "'lost'"}, Damage{"edited_from", "'x'"}));

TEST_P(DamagedRowTest, IsMendedByWhatTheErrorProposes) {
  static_cast<void>(store(*open(), letters(1, 2)));
  const auto [column, value] = GetParam();
  execute("PRAGMA ignore_check_constraints = ON; UPDATE dead_letters SET " + std::string(column) + " = " +
          value + " WHERE id = 2");
  const auto target = recovery_target(database());
  const auto report = recover(database(), target, {});
  const auto& rows = report.of("dead_letters");
  EXPECT_EQ(rows.mended + rows.unusable, 1);
  EXPECT_EQ(Reader::open(target).list({}, 10).letters.size(), static_cast<std::size_t>(rows.saved()));
}

/// Every byte of a database may be wrong: then there is an error, or an answer, but never a crash.
TEST_F(DamagedRowTest, FlippedBytesNeverCrashTheReader) {
  static_cast<void>(store(*open(), letters(1, 30)));
  const std::string good = read_file(database());
  int errors = 0;
  for (std::size_t offset = 20; offset < good.size(); offset += 97) {
    std::string bad = good;
    bad[offset] = static_cast<char>(bad[offset] ^ 0x5a);
    write_file(database(), bad);
    try {
      auto reader = Reader::open(database());
      static_cast<void>(reader.list({.resolved = false}, 100));
      static_cast<void>(reader.groups({.resolved = false}, 100));
    } catch (const Error&) {
      ++errors;
    }
  }
  EXPECT_GT(errors, 0);
}

}  // namespace
}  // namespace tidings::deadletter
