#include "logging/corpus.hpp"
#include "text/printable.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <tidings/logging/redactor.hpp>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace tidings::dead_letters {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string redacted(const std::string& line) { return logging::default_redactor()->redact_text(line); }

/// Where it holds a secret, the line does not stand in the text as it was.
void expect_no_secret(const std::string& text, const std::string& line) {
  if (redacted(line) == line) return;
  EXPECT_THAT(text, Not(HasSubstr(tools::printable(line))));
}

/// No field holds a line with control characters.
bool fits_a_field(const std::string& line) {
  return std::none_of(line.begin(), line.end(), [](unsigned char each) { return std::iscntrl(each) != 0; });
}

/// As services before this version, or other programs, may have stored it: nothing is masked.
DeadLetter letter_with(const std::string& line) {
  DeadLetter letter = letter_that_failed(std::chrono::minutes(1), "send_receipt", line);
  letter.data.bytes = Json{{"lines", {line}}}.dump();
  letter.ordering_key = line;
  letter.metadata.correlation_id = CorrelationId::parse("r-1").value();
  if (fits_a_field(line)) letter.metadata.fields = {{"note", line}};
  letter.attempts.insert(letter.attempts.begin(), 2, letter.attempts.front());
  letter.attempts[1].error_type = "Other";
  if (fits_a_field(line)) letter.attempts[1].fields = {{"bound", line}};
  return letter;
}

class RedactionCorpusInToolsTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    std::vector<DeadLetter> letters;
    for (const auto& [secret, line] : logging::secret_lines()) lines_.push_back(line);
    for (const std::string& line : logging::innocent_lines()) lines_.push_back(line);
    for (const std::string& line : lines_) letters.push_back(letter_with(line));
    database_ = make_database("orders.db", letters);
  }

  void expect_no_secrets(const std::string& text) const {
    for (const std::string& line : lines_) expect_no_secret(text, line);
  }

  std::vector<std::string> lines_;
};

TEST_F(RedactionCorpusInToolsTest, ShowHasNoSecret) {
  for (std::size_t index = 0; index < lines_.size(); ++index) {
    const std::string text = call({"show", std::to_string(index + 1)}).out;
    EXPECT_THAT(text, HasSubstr(tools::printable(redacted(lines_[index]))));
    expect_no_secret(text, lines_[index]);
  }
}

TEST_F(RedactionCorpusInToolsTest, ShowAsJsonHasNoSecret) {
  for (std::size_t index = 0; index < lines_.size(); ++index) {
    const OrderedJson letter = call({"show", std::to_string(index + 1), "--json"}).json().at("letter");
    const std::string masked = redacted(lines_[index]);
    EXPECT_EQ(letter.at("error_message"), masked);
    EXPECT_EQ(letter.at("ordering_key"), masked);
    EXPECT_EQ(letter.at("event").at("data").at("lines").at(0), masked);
    for (const auto& attempt : letter.at("attempts")) EXPECT_EQ(attempt.at("error_message"), masked);
  }
}

TEST_F(RedactionCorpusInToolsTest, ListsHaveNoSecret) {
  const std::string table = call({"list", "--limit", "1000"}).out;
  const OrderedJson letters = call({"list", "--limit", "1000", "--json"}).json().at("letters");
  ASSERT_EQ(letters.size(), lines_.size());
  for (const auto& letter : letters) {
    const std::string& line = lines_.at(letter.at("id").get<std::size_t>() - 1);
    EXPECT_EQ(letter.at("error_message"), redacted(line));
    expect_no_secret(table, line);
  }
}

TEST_F(RedactionCorpusInToolsTest, GroupsHaveNoSecret) {
  const std::string table = call({"groups", "--limit", "1000"}).out;
  const OrderedJson groups = call({"groups", "--limit", "1000", "--json"}).json().at("groups");
  ASSERT_FALSE(groups.empty());
  for (const auto& group : groups) {
    const std::string& line = lines_.at(group.at("newest_letter").get<std::size_t>() - 1);
    EXPECT_EQ(group.at("sample_error"), redacted(line));
    expect_no_secret(table, line);
  }
}

TEST_F(RedactionCorpusInToolsTest, CountsByAFieldHaveNoSecret) {
  expect_no_secrets(call({"groups", "--by", "note", "--limit", "1000"}).out);
  const OrderedJson groups =
      call({"groups", "--by", "note", "--limit", "1000", "--json"}).json().at("values");
  std::set<std::string> values;
  for (const auto& group : groups)
    values.insert(group.at("value").is_null() ? "" : group.at("value").get<std::string>());
  for (const std::string& line : lines_) {
    if (fits_a_field(line)) {
      EXPECT_THAT(values, Contains(redacted(line)));
    }
  }
}

TEST_F(RedactionCorpusInToolsTest, TheStoryOfARequestHasNoSecret) {
  const std::string story = call({"trace", "r-1"}).out;
  EXPECT_THAT(story, HasSubstr("send_receipt"));
  expect_no_secrets(story);
  expect_no_secrets(call({"trace", "r-1", "--json"}).out);
}

TEST_F(RedactionCorpusInToolsTest, AnAlertHasNoSecret) {
  for (const char* how : {"-v", "-vvv", "--json"}) {
    const std::string alert = check_dead_letters::run_tool({"--db", database_, how}).out;
    EXPECT_THAT(alert, HasSubstr("send_receipt"));
    expect_no_secrets(alert);
  }
}

TEST_F(RedactionCorpusInToolsTest, NoNumberOfACardIsShown) {
  DeadLetter letter = letter_with("declined");
  letter.data.bytes = R"({"pan":4111111111111111,"list":[4111111111111111.0],"order":4111111111111112})";
  letter.metadata.fields = {{"note", std::int64_t{4111111111111111}}};
  letter.attempts[0].fields = {{"bound", std::int64_t{4111111111111111}}};
  database_ = make_database("cards.db", {letter});
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"show", "1"}, {"list"}, {"groups"}, {"groups", "--by", "note"}, {"trace", "r-1"}}) {
    for (const bool json : {false, true}) {
      auto call_of = words;
      if (json) call_of.emplace_back("--json");
      const std::string text = call(call_of).out;
      EXPECT_THAT(text, Not(HasSubstr("4111111111111111")));
      if (words[0] != "show") continue;
      EXPECT_THAT(text, AllOf(HasSubstr("4111111111111112"), HasSubstr("[redacted]")));
    }
  }
}

TEST_F(RedactionCorpusInToolsTest, PersonalDataIsMaskedIfTheEnvironmentSaysSo) {
  const auto database = make_database("personal.db", {letter_with("no mailbox bob@example.com")});
  const auto shown_with = [&](const std::string& profile) {
    return check_dead_letters::run_tool(
               {"TIDINGS_REDACTION=" + profile, TIDINGS_DEAD_LETTERS, "show", "1", "--db", database},
               {.program = "/usr/bin/env"})
        .out;
  };
  EXPECT_THAT(shown_with("secrets"), HasSubstr("no mailbox bob@example.com"));
  EXPECT_THAT(shown_with("personal_data"), HasSubstr("no mailbox [redacted]"));
  EXPECT_THAT(shown_with("personal_data"), Not(HasSubstr("bob@example.com")));
}

}  // namespace
}  // namespace tidings::dead_letters
