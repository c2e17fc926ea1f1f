#include "bus/bus_fixture.hpp"
#include "contracts/sample_letter.hpp"
#include "letters/letter_writer.hpp"
#include "log/bus_log.hpp"
#include "logging/corpus.hpp"

#include <tidings/logging/redactor.hpp>

namespace tidings::test {
namespace {

/// Its conversion to JSON throws an error with a secret.
struct Unwritable {
  static constexpr std::string_view event_type = "orders.unwritable";
};
void to_json(Json&, const Unwritable&) { throw std::runtime_error("password=hunter2"); }
void from_json(const Json&, Unwritable&) {}

using logging::innocent_lines;
using logging::secret_lines;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Every handler fails twice with the text of the event.
class RedactedLetterTest : public BusTest {
 protected:
  DeadLetter letter_of(const std::string& error) {
    if (!bus_) {
      bus_ = std::make_unique<Bus>(options());
      subscription_ = bus_->subscribe<OrderPlaced>(
          "fail", [this](const OrderPlaced&) { throw std::runtime_error(error_); },
          {.retry = {.max_attempts = 2}});
    }
    error_ = error;
    bus_->publish(OrderPlaced{});
    return letters_->letters().back();
  }

  /// The texts of a letter's line that an error may reach; some secrets are short enough to be in others by
  /// chance.
  static std::string told_errors(const Json& letter) {
    return letter.at("error_message").get<std::string>() + '\n' +
           letter.at("attempts").at(0).at("error_message").get<std::string>();
  }

  std::unique_ptr<Bus> bus_;
  Subscription subscription_;
  std::string error_;
};

TEST_F(RedactedLetterTest, NoSecretOfAnErrorIsKept) {
  for (const auto& [secret, line] : secret_lines()) {
    const DeadLetter letter = letter_of(line);
    EXPECT_FALSE(holds(letter.error_message, secret)) << letter.error_message;
    ASSERT_EQ(letter.attempts.size(), 2U);
    for (const Attempt& attempt : letter.attempts) EXPECT_FALSE(holds(attempt.error_message, secret)) << line;
  }
}

TEST_F(RedactedLetterTest, NoSecretIsInALineOfTheSpillFileOrOfTheLastResort) {
  for (const auto& [secret, line] : secret_lines()) {
    const DeadLetter failed = letter_of(line);
    DeadLetter letter = contract::letter(1);  // whose ids and times are no secret's digits by chance
    letter.error_message = failed.error_message;
    letter.attempts = {
        {.at = letter.failed_at, .error_type = "e", .error_message = failed.attempts[1].error_message}};
    const std::string spilled = to_json_line(letter);
    EXPECT_FALSE(holds(told_errors(Json::parse(spilled)), secret)) << spilled;
    testing::internal::CaptureStderr();
    detail::write_to_stderr(letter, line);
    const std::string last_resort = testing::internal::GetCapturedStderr();
    const Json told = Json::parse(last_resort);
    EXPECT_FALSE(holds(told_errors(told.at("letter")), secret)) << last_resort;
    EXPECT_FALSE(holds(told.at("problem").get<std::string>(), secret)) << last_resort;
    EXPECT_EQ(told.at("event"), "dead_letter_unsaved");
  }
}

TEST_F(RedactedLetterTest, NoSecretIsInTheRecordsOfWhatTheDatabaseAndTheSpillFileSay) {
  for (const auto& [secret, line] : secret_lines()) {
    logging::Capture capture;
    detail::BusLog log(capture.logger(), clock_);
    log.letters.spill_waits(line);
    log.letters.spilled(contract::letter(1), line);
    log.letters.unsaved(contract::letter(1), line);
    log.letters.database_busy(1, 5ms, line);
    log.letters.redrive_unreadable({.id = 7, .problem = line});
    log.journal_lost(line);
    log.housekeeping_failed(line);
    ASSERT_EQ(capture.records().size(), 7U);
    for (const Json& record : capture.records()) {
      const auto problem = record.at("problem").get<std::string>();
      EXPECT_FALSE(holds(problem, secret)) << record;
    }
  }
}

TEST_F(RedactedLetterTest, AnInnocentErrorIsKeptAsItIs) {
  for (const std::string& line : innocent_lines()) {
    const DeadLetter letter = letter_of(line);
    EXPECT_EQ(letter.error_message, line);
    EXPECT_EQ(letter.attempts.back().error_message, line);
  }
}

TEST_F(RedactedLetterTest, NeitherIsASecretInTheReasonWhyAnEventHasNoPayload) {
  Bus bus(options());
  const auto subscription =
      bus.subscribe<Unwritable>("fail", [](const Unwritable&) { throw std::runtime_error("no"); });
  bus.publish(Unwritable{});
  EXPECT_EQ(letters_->letters().back().data.problem, "to_json failed: password=[redacted]");
}

}  // namespace
}  // namespace tidings::test
