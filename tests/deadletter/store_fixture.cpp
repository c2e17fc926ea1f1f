#include "deadletter/store_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <utility>

namespace tidings::deadletter {

EventId event_id(std::uint64_t number) {
  EventId::Bytes bytes{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80};
  for (std::size_t i = 0; i < 7; ++i) bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return EventId(bytes);
}

Timestamp failed_at(std::uint64_t number) {
  return Timestamp(std::chrono::microseconds(1'798'761'600'000'000)) + std::chrono::seconds(number);
}

DeadLetter letter(std::uint64_t number) {
  DeadLetter result;
  result.event_type = "orders.order_placed";
  result.data = encode_data({{"order_id", number}});
  result.metadata.event_id = event_id(number);
  result.metadata.correlation_id = CorrelationId(result.metadata.event_id);
  result.metadata.published_at = failed_at(number) - std::chrono::milliseconds(1500);
  result.metadata.source = "orders";
  result.service = "orders";
  result.handler = "send_receipt";
  result.error_type = "std::runtime_error";
  result.error_message = "connection refused";
  result.error_fingerprint = "00000000000000aa";
  result.failed_at = failed_at(number);
  result.retry_count = 1;
  result.attempts = {
      {failed_at(number), std::chrono::microseconds(1500), "std::runtime_error", "connection refused"}};
  return result;
}

std::vector<DeadLetter> letters(std::uint64_t first, std::uint64_t last) {
  std::vector<DeadLetter> result;
  for (std::uint64_t number = first; number <= last; ++number) result.push_back(letter(number));
  return result;
}

std::vector<std::int64_t> crashed_in(const RedriveUpkeep& upkeep) {
  std::vector<std::int64_t> result;
  for (const RedriveResult& crashed : upkeep.crashed) result.push_back(crashed.id);
  return result;
}

pid_t start_child(const std::function<bool()>& body) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child != 0) return child;
  bool good = false;
  try {
    good = body() && !testing::Test::HasFailure();
  } catch (const std::exception& error) {
    std::cerr << "in the child: " << error.what() << std::endl;
  }
  ::_exit(good ? 0 : 1);
}

int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

int run_in_child(const std::function<bool()>& body) { return status_of(start_child(body)); }

bool succeeded(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::string error_of(ErrorCode code, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

std::shared_ptr<Store> StoreTest::open_faulty(StoreOptions options, StoreInternals internals) const {
  static_cast<void>(faults::FaultyVfs::instance());
  internals.vfs = faults::FaultyVfs::kName;
  return open_store(database(), options, std::move(internals));
}

std::vector<LetterOutcome::Place> StoreTest::places(const std::vector<LetterOutcome>& outcomes) {
  std::vector<Place> result;
  for (const LetterOutcome& outcome : outcomes) result.push_back(outcome.place);
  return result;
}

void StoreTest::execute(const std::string& sql) const {
  SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
  connection.exec(sql);
}

std::string StoreTest::query(const std::string& sql) const {
  SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE, 5000);
  SQLite::Statement statement(connection, sql);
  return statement.executeStep() ? statement.getColumn(0).getString() : "no row";
}

std::vector<EventId> StoreTest::stored_events() const {
  SQLite::Database connection(database().native(), SQLite::OPEN_READWRITE, 5000);
  SQLite::Statement statement(connection, "SELECT event_id FROM dead_letters ORDER BY id");
  std::vector<EventId> events;
  while (statement.executeStep())
    events.push_back(EventId::parse(statement.getColumn(0).getString()).value());
  return events;
}

std::vector<EventId> StoreTest::spilled_events() const {
  std::vector<EventId> events;
  for (const std::string& line : lines_of(spill())) {
    if (SpillHeader::parse(line + "\n")) continue;
    events.push_back(parse_json_line(line).metadata.event_id);
  }
  return events;
}

}  // namespace tidings::deadletter
