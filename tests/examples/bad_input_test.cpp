#include "examples/service_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace webhooks {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStar = R"({"type": "github.star.created", "source": "hooks", "data": {}})";

struct Malformed {
  std::string line;
  std::string problem;
};

class MalformedLineOfInput : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedLineOfInput, IsReportedWithItsNumberAndStopsNothing) {
  const WorkFolder folder;
  const auto input = folder.write("input", std::string(kStar) + "\n" + GetParam().line + "\n" + kStar + "\n");
  const auto run = run_service(folder, shell_word(input));
  EXPECT_EQ(run.status, 65);
  EXPECT_EQ(run.summary.at("events"), 2);
  ASSERT_EQ(run.summary.at("refused_lines").size(), 1U);
  EXPECT_EQ(run.summary.at("refused_lines").at(0).at("line"), 2);
  EXPECT_THAT(run.summary.at("refused_lines").at(0).at("problem").get<std::string>(),
              HasSubstr(GetParam().problem));
  EXPECT_THAT(run.output, HasSubstr("line 2: "));
  EXPECT_THAT(run.log, HasSubstr("\"event\":\"line_refused\""));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, MalformedLineOfInput,
    ::testing::Values(Malformed{"{\"type\": ", "not valid JSON"}, Malformed{"[]", "not a JSON object"},
                      Malformed{R"({"data": {}})", "has no \"type\""},
                      Malformed{R"({"type": null, "data": {}})", "has no \"type\""},
                      Malformed{R"({"type": 7, "data": {}})", "\"type\" is not a string"},
                      Malformed{R"({"type": "a b", "data": {}})", "event type"},
                      Malformed{R"({"type": ")" + std::string(201, 'x') + R"(", "data": {}})", "event type"},
                      Malformed{R"({"type": "a"})", "has no \"data\""},
                      Malformed{R"({"type": "a", "source": "no uri", "data": 1})", "source"},
                      Malformed{"{\"type\": \"a\", \"data\": \"\xff\"}", "not valid JSON"},
                      Malformed{
                          R"({"type": "a", "data": )" + std::string(2000, '[') + std::string(2000, ']') + "}",
                          "deep"}));

TEST(Input, MayComeFromStandardInput) {
  const WorkFolder folder;
  const auto input = folder.write("input", std::string(kStar) + "\r\n" + kStar);
  const auto run = run_service(folder, "- <" + shell_word(input));
  EXPECT_EQ(run.status, 0) << run.messages;
  EXPECT_EQ(run.summary.at("events"), 2);
}

TEST(Input, MayHaveBlankLines) {
  const WorkFolder folder;
  const auto run =
      run_service(folder, shell_word(folder.write("input", std::string("\n \r\n") + kStar + "\n\n")));
  EXPECT_EQ(run.status, 0) << run.messages;
  EXPECT_EQ(run.summary.at("events"), 1);
}

TEST(Input, MayBeEmpty) {
  const WorkFolder folder;
  const auto run = run_service(folder, shell_word(folder.write("input", "")));
  EXPECT_EQ(run.status, 0) << run.messages;
  EXPECT_EQ(run.summary.at("events"), 0);
}

TEST(Input, ThatIsMissingIsNoInput) {
  const WorkFolder folder;
  const auto run = run_service(folder, shell_word(folder / "nowhere"));
  EXPECT_EQ(run.status, 66);
  EXPECT_THAT(run.messages, HasSubstr("cannot read"));
  EXPECT_FALSE(std::filesystem::exists(folder / "webhooks.db")) << "nothing is created for nothing";
}

TEST(Input, ThatCannotBeReadToItsEndIsAnInputError) {
  const WorkFolder folder;
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(run_service(folder, shell_word(folder / "folder")).status, 74);
}

TEST(CommandLine, ThatIsWrongIsAUsageError) {
  const WorkFolder folder;
  const auto run = run_service(folder, "--no-such-option");
  EXPECT_EQ(run.status, 64);
  EXPECT_THAT(run.messages, HasSubstr("--no-such-option"));
}

TEST(CommandLine, ExplainsItself) {
  const WorkFolder folder;
  const auto run = run_service(folder, "--help");
  EXPECT_EQ(run.status, 0);
  EXPECT_THAT(run.output, HasSubstr("Exit status"));
}

TEST(Database, OfAnotherKindIsRefusedAndLeftAlone) {
  const WorkFolder folder;
  const auto database = folder.write("webhooks.db", "a letter to the editor\n");
  const auto run = run_service(folder, "'" TIDINGS_WEBHOOKS_SAMPLE "'");
  EXPECT_EQ(run.status, 73);
  EXPECT_THAT(run.messages, HasSubstr("webhooks.db"));
  EXPECT_EQ(std::filesystem::file_size(database), 23U);
}

TEST(Summary, ThatCannotBeWrittenIsReported) {
  const WorkFolder folder;
  std::filesystem::create_directory(folder / "summary");
  EXPECT_EQ(run_service(folder, shell_word(folder.write("input", kStar))).status, 73);
}

TEST(Output, HasNoColourOutsideATerminalAndNoneWhenQuiet) {
  const WorkFolder folder;
  const auto input = shell_word(folder.write("input", kStar));
  EXPECT_EQ(run_service(folder, input).output.find('\033'), std::string::npos);
  EXPECT_EQ(run_service(folder, "--quiet " + input).output, "");
}

TEST(Output, NeverPassesOnWhatATerminalWouldObey) {
  const WorkFolder folder;
  const auto input = folder.write(
      "input",
      R"({"type": "github.push", "data": {"ref": "r", "head_commit": {"id": "1", "message": "\u001b[2Jgone"},)"
      R"( "repository": {"full_name": "a/b", "private": false}, "sender": {"login": "c"}}})");
  const auto run = run_service(folder, shell_word(input));
  EXPECT_THAT(run.output, HasSubstr("\\x1b[2Jgone"));
  EXPECT_EQ(run.output.find('\033'), std::string::npos);
}

}  // namespace
}  // namespace webhooks
