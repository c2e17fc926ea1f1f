#include "tools/dead_letters_fixture.hpp"

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

// What the program proposes to type next finds what it was proposed for.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class ProposedCommandsTest : public DeadLettersTest {
 protected:
  void SetUp() override {
    DeadLettersTest::SetUp();
    EXPECT_EQ(call({"discard", "--handler", "charge_card"}).status, 0);
  }

  /// As a shell takes them apart.
  static std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '\'') {
        quoted = !quoted;
      } else if (c == ' ' && !quoted) {
        words.emplace_back();
      } else {
        words.back() += c;
      }
    }
    return words;
  }
  static std::vector<std::vector<std::string>> proposals(const Answer& answer) {
    std::vector<std::vector<std::string>> all;
    std::istringstream lines(answer.out + answer.err);
    for (std::string line; std::getline(lines, line);) {
      const auto at = line.find("dead-letters ");
      if (at != std::string::npos) all.push_back(words_of(line.substr(at + 13)));
    }
    return all;
  }
  void expect_found(std::vector<std::string> words) {
    const bool changes = words[0] == "retry" || words[0] == "discard" || words[0] == "undo";
    if (changes) words.emplace_back("--dry-run");
    const auto answer = call(words);
    EXPECT_EQ(answer.status, 0) << testing::PrintToString(words) << answer.err;
    EXPECT_THAT(answer.out, AllOf(Not(IsEmpty()), Not(HasSubstr("0 letters"))))
        << testing::PrintToString(words);
  }
};

TEST_F(ProposedCommandsTest, FindWhatTheyWereProposedFor) {
  const std::vector<std::vector<std::string>> calls = {{"list"},
                                                       {"list", "--resolved"},
                                                       {"list", "--resolved", "--handler", "charge_card"},
                                                       {"list", "--all", "--limit", "1"},
                                                       {"groups"},
                                                       {"groups", "--all"},
                                                       {"groups", "--resolved"},
                                                       {"groups", "--all", "--handler", "charge_card"},
                                                       {"stats"},
                                                       {"stats", "--handler", "charge_card"},
                                                       {"stats", "--resolved"},
                                                       {"show", "1"},
                                                       {"show", "3"},
                                                       {"trace", "request-7"},
                                                       {"trace", "request-8"},
                                                       {"doctor"}};
  for (const auto& arguments : calls) {
    const auto proposed = proposals(call(arguments));
    EXPECT_THAT(proposed, Not(IsEmpty())) << testing::PrintToString(arguments);
    for (const auto& words : proposed) {
      if (words[0] != "edit") expect_found(words);
    }
  }
}

/// Two letters of one cause, of two services, which differ in all that a filter may ask for.
class FilteredProposalsTest : public ProposedCommandsTest {
 protected:
  void SetUp() override {
    auto shown = letter_that_failed(std::chrono::minutes(2));
    shown.event_type = "orders.order_changed";
    shown.service = "billing";
    shown.metadata.correlation_id = CorrelationId::parse("request-9").value();
    shown.metadata.foreign_id = "C234-1234";
    shown.metadata.fields = {{"tenant", "acme inc"}};
    shown.data.bytes = R"({"order_id":43})";
    shown.reason = Reason::Permanent;
    auto other = letter_that_failed(std::chrono::hours(2));
    other.metadata.fields = {{"tenant", "globex"}};
    database_ = make_database("orders.db", {shown, other});
    event_id_ = shown.metadata.event_id.to_string();
  }

  /// The letters that a command concerns.
  std::vector<std::int64_t> letters_of(std::vector<std::string> words) {
    if (words[0] == "show") return {std::stoll(words[1])};
    std::vector<std::int64_t> ids;
    if (words[0] == "list") {
      words.emplace_back("--json");
      const auto page = call(words).json();
      for (const auto& each : page.at("letters")) ids.push_back(each.at("id").get<std::int64_t>());
      return ids;
    }
    if (words[0] == "groups") {
      words.emplace_back("--json");
      const auto causes = call(words).json();
      for (const auto& each : causes.at("groups"))
        ids.insert(ids.end(), each.at("letters").get<std::size_t>(),
                   each.at("newest_letter").get<std::int64_t>());
      return ids;
    }
    words.emplace_back("--dry-run");
    words.emplace_back("--json");
    const auto plan = call(words).json();
    return std::vector<std::int64_t>(plan.at("letters").get<std::size_t>(), 1);
  }

  void expect_only_the_first(std::vector<std::string> arguments, const std::vector<std::string>& filter) {
    arguments.insert(arguments.end(), filter.begin(), filter.end());
    const auto proposed = proposals(call(arguments));
    EXPECT_THAT(proposed, Not(IsEmpty())) << testing::PrintToString(arguments);
    for (const auto& words : proposed) {
      if (words[0] == "trace" || words[0] == "edit") continue;
      EXPECT_THAT(letters_of(words), ElementsAre(1)) << testing::PrintToString(words);
    }
  }

  std::string event_id_;
};

TEST_F(FilteredProposalsTest, ConcernOnlyWhatIsShown) {
  const std::vector<std::vector<std::string>> filters = {
      {"--type", "orders.order_changed"}, {"--service", "billing"},      {"--correlation-id", "request-9"},
      {"--event-id", event_id_},          {"--foreign-id", "C234-1234"}, {"--since", "1h"},
      {"--attribute", "tenant=acme inc"}, {"--where", "/order_id=43"},   {"--reason", "permanent"}};
  for (const auto& filter : filters) {
    for (const auto* verb : {"groups", "list", "stats"}) expect_only_the_first({verb}, filter);
  }
  expect_only_the_first({"groups", "--all"}, {"--attribute", "tenant=acme inc"});
  expect_only_the_first({"groups", "--by", "tenant"}, {"--service", "billing"});
}

TEST_F(FilteredProposalsTest, ConcernOneServiceIfSeveralHaveTheCause) {
  const auto proposed = proposals(call({"groups", "--limit", "1"}));
  ASSERT_THAT(proposed, Not(IsEmpty()));
  for (const auto& words : proposed)
    EXPECT_THAT(letters_of(words), SizeIs(1)) << testing::PrintToString(words);
}

TEST_F(FilteredProposalsTest, ConcernWhatIsShownWhereTheLettersCanOnlyBeGivenUp) {
  execute("UPDATE dead_letters SET handler = '', reason = 'unhandled'");
  const auto proposed =
      proposals(call({"groups", "--reason", "unhandled", "--attribute", "tenant=acme inc"}));
  EXPECT_EQ(proposed.back().front(), "discard");
  for (const auto& words : proposed)
    EXPECT_THAT(letters_of(words), ElementsAre(1)) << testing::PrintToString(words);
}

TEST_F(ProposedCommandsTest, ACauseThatIsResolvedIsNotRetried) {
  const auto answer = call({"groups", "--all", "--handler", "charge_card"});
  EXPECT_THAT(answer.err, AllOf(HasSubstr("--all"), Not(HasSubstr("retry"))));
  EXPECT_THAT(call({"trace", "request-8"}).err, Not(HasSubstr("retry")));
}

TEST_F(ProposedCommandsTest, AreProposedAfterAChangeToo) {
  for (const auto& words : proposals(call({"undo", "3"}))) expect_found(words);
  for (const auto& words : proposals(call({"discard", "--handler", "charge_card"}))) expect_found(words);
  input_ = call({"export", "--handler", "charge_card"}).out;
  execute("DELETE FROM dead_letters");
  for (const auto& words : proposals(call({"import", "-"}))) expect_found(words);
}

TEST_F(ProposedCommandsTest, CanBePastedWhateverTheNameOfTheDatabase) {
  const std::string odd = path("a\nb\x1b'$(exit 9).db");
  std::filesystem::copy_file(database_, odd);
  const auto answer = call({"--db", odd, "list"});
  const auto at = answer.err.find("dead-letters --db ");
  ASSERT_NE(at, std::string::npos);
  const auto begin = at + std::string("dead-letters --db ").size();
  const auto word = answer.err.substr(begin, answer.err.find(" show ") - begin);
  EXPECT_EQ(std::system(("test -f " + word).c_str()), 0) << word;
}

}  // namespace
}  // namespace tidings::dead_letters
