#include "bus/bus_fixture.hpp"
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
