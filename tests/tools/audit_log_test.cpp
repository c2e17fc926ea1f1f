#include "logging/variable.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace tidings::dead_letters {
namespace {

class AuditLogTest : public DeadLettersTest {
 protected:
  [[nodiscard]] std::string log() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] std::string path() const {
    return (std::filesystem::path(database_).parent_path() / "audit.log").string();
  }
};

TEST_F(AuditLogTest, AChangeIsAppendedToTheFileThatTheEnvironmentNames) {
  const logging::Variable output("TIDINGS_LOG_OUTPUT", ("stdout,tidings.audit=" + path()).c_str());
  const auto answer = call({"discard", "1", "--reason", "wanted by Ada"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.out.find("letters_changed"), std::string::npos);
  const Json record = Json::parse(log());
  EXPECT_EQ(record.at("logger"), "tidings.audit");
  EXPECT_EQ(record.at("service"), "dead-letters");
  EXPECT_EQ(record.at("verb"), "discard");
  EXPECT_EQ(record.at("letters"), 1);
  EXPECT_EQ(log().find("Ada"), std::string::npos);
}

TEST_F(AuditLogTest, WithoutSuchAnEntryNothingIsLogged) {
  const logging::Variable output("TIDINGS_LOG_OUTPUT", "stdout");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(call({"discard", "1", "--reason", "test"}).status, 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr().find("letters_changed"), std::string::npos);
  EXPECT_EQ(testing::internal::GetCapturedStdout().find("letters_changed"), std::string::npos);
}

}  // namespace
}  // namespace tidings::dead_letters
