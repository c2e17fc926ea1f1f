#include <tidings/error.hpp>

#include <tidings/detail/quoted.hpp>

#include <gtest/gtest.h>

namespace tidings {
namespace {

TEST(Error, CarriesItsCodeMessageAndSqliteCode) {
  const Error error(ErrorCode::DatabaseBusy, "another process holds it", 5);
  EXPECT_EQ(error.code(), ErrorCode::DatabaseBusy);
  EXPECT_STREQ(error.what(), "another process holds it");
  EXPECT_EQ(error.sqlite_code(), 5);
  EXPECT_EQ(Error(ErrorCode::QueueFull, "").sqlite_code(), 0);
}

TEST(Error, CodesHaveStableNames) {
  EXPECT_EQ(to_string(ErrorCode::InvalidArgument), "invalid_argument");
  EXPECT_EQ(to_string(ErrorCode::DuplicateHandler), "duplicate_handler");
  EXPECT_EQ(to_string(ErrorCode::NotEncodable), "not_encodable");
  EXPECT_EQ(to_string(ErrorCode::NotDecodable), "not_decodable");
  EXPECT_EQ(to_string(ErrorCode::QueueFull), "queue_full");
  EXPECT_EQ(to_string(ErrorCode::BusStopped), "bus_stopped");
  EXPECT_EQ(to_string(ErrorCode::ForkedChild), "forked_child");
  EXPECT_EQ(to_string(ErrorCode::CalledInHandler), "called_in_handler");
  EXPECT_EQ(to_string(ErrorCode::DatabaseBusy), "database_busy");
  EXPECT_EQ(to_string(ErrorCode::DatabaseUnusable), "database_unusable");
  EXPECT_EQ(to_string(ErrorCode::ForeignDatabase), "foreign_database");
  EXPECT_EQ(to_string(ErrorCode::NewerSchema), "newer_schema");
  EXPECT_EQ(to_string(ErrorCode::NoJournal), "no_journal");
  EXPECT_EQ(to_string(ErrorCode::JournalOwned), "journal_owned");
  EXPECT_EQ(to_string(ErrorCode::NoThreads), "no_threads");
  EXPECT_EQ(to_string(ErrorCode::InDoubt), "in_doubt");
}

TEST(Error, AQuotedTextIsShortAndPrintable) {
  EXPECT_EQ(detail::quoted("orders"), "\"orders\"");
  EXPECT_EQ(detail::quoted("a\"b\r\n\x1B[31m\xC3\xA9"), "\"a?b???[31m??\"");
  EXPECT_EQ(detail::quoted(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
  EXPECT_EQ(detail::quoted(std::string(1 << 20, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace tidings
