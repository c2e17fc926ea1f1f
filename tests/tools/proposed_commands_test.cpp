#include "tools/dead_letters_fixture.hpp"

#include <sstream>

// What the program proposes to type next finds what it was proposed for.

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

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
