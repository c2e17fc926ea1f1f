#include "tools/dead_letters_fixture.hpp"

#include <fstream>

namespace tidings::dead_letters {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string brackets(std::size_t depth, const std::string& core = "") {
  return std::string(depth, '[') + core + std::string(depth, ']');
}

class EditTest : public DeadLettersTest {
 protected:
  Answer set(const std::string& change) { return call({"edit", "1", "--set", change}); }
  Answer replace_with(const std::string& text) {
    input_ = text;
    return call({"edit", "1", "--file", "-"});
  }
  void store_payload(const std::string& sql_value, const std::string& encoding = "json") {
    execute("UPDATE dead_letters SET event_data = " + sql_value + ", data_encoding = '" + encoding +
            "' WHERE id = 1");
  }
  /// The line of letter 1, which is deleted.
  std::string take_out() {
    const std::string lines = call({"export"}).out;
    execute("DELETE FROM dead_letters WHERE id = 1");
    return lines.substr(0, lines.find('\n'));
  }
  [[nodiscard]] std::string payload(std::int64_t id) const { return reader().find(id)->letter.data.bytes; }
  void expect_nothing_changed() const {
    EXPECT_EQ(unresolved(), 3);
    EXPECT_FALSE(reader().find(4));
  }
};

TEST_F(EditTest, SetsTheElementsOfAnArrayAsRfc6902Does) {
  store_payload(R"('{"l":[1,2]}')");
  const auto answer = call(
      {"edit", "1", "--set", "/l/0=7", "--set", "/l/2=3", "--set", "/l/-={\"a\":1}", "--set", "/l/3/b=2"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(payload(4), R"({"l":[7,2,3,{"a":1,"b":2}]})");
}

TEST_F(EditTest, SaysThatAValueIsOfAnotherKindNow) {
  store_payload(R"('{"zip":"90210","n":1,"none":null}')");
  const auto plan = call({"edit", "1", "--set", "/zip=12345", "--dry-run"});
  EXPECT_THAT(plan.out, HasSubstr("  replace /zip, text by a number\n"));
  EXPECT_THAT(plan.err, HasSubstr(R"(edit 1 --set '/zip="VALUE"')"));
  const auto answer = call({"edit", "1", "--set", "/zip=true", "--set", "/n=2.5", "--set", "/none=3"});
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("/zip, text by a Boolean\n"), HasSubstr("/n\n"), HasSubstr("/none\n")));
  EXPECT_THAT(answer.err, HasSubstr(R"(edit 4 --set '/zip="VALUE"')"));
  const auto corrected = call({"edit", "4", "--set", R"(/zip="12345")", "--set", "/n=a"});
  EXPECT_THAT(corrected.out,
              AllOf(HasSubstr("/zip, a Boolean by text\n"), HasSubstr("/n, a number by text\n")));
  EXPECT_THAT(corrected.err, Not(HasSubstr("VALUE")));
  EXPECT_EQ(payload(5), R"({"n":"a","none":3,"zip":"12345"})");
}

TEST_F(EditTest, RefusesAPlaceThatIsNotThere) {
  store_payload(R"('{"l":[1],"n":null,"s":"x"}')");
  for (const char* change : {"/l/4=5", "/l/2=5", "/l/4000000000=5", "/l/99999999999999999999999=5", "/l/01=5",
                             "/l/00=5", "/l/-1=5", "/l/1e0=5", "/l/x=5", "/l/=5", "/l/-/a=5", "/l/1/a=5",
                             "/l/0/a=5", "/n/a=5", "/s/a=5", "/new/a=5", "/new/0=5"}) {
    const auto answer = set(change);
    EXPECT_EQ(answer.status, 64) << change;
    EXPECT_THAT(answer.err, HasSubstr("nothing was edited")) << change;
  }
  EXPECT_THAT(set("/l/4=5").err, HasSubstr("has 1 elements"));
  expect_nothing_changed();
}

TEST_F(EditTest, RefusesValuesThatNestTooDeeply) {
  store_payload("'{\"x\":" + brackets(600) + "}'");
  for (const std::size_t depth :
       {std::size_t{1'000}, std::size_t{1'001}, std::size_t{20'000}, std::size_t{65'000}}) {
    const auto answer = set("/x=" + brackets(depth));
    EXPECT_EQ(answer.status, 64) << depth;
    EXPECT_THAT(answer.err, HasSubstr("deeper than 1000 levels"));
    EXPECT_EQ(replace_with("{\"x\":" + brackets(depth) + "}").status, 65) << depth;
  }
  std::string inner = "/x";
  for (int level = 0; level < 600; ++level) inner += "/0";
  EXPECT_EQ(set(inner.substr(0, inner.size() - 2) + "/0=" + brackets(600)).status, 64);
  expect_nothing_changed();
  EXPECT_EQ(set("/x=" + brackets(999)).status, 0);
}

TEST_F(EditTest, RefusesTextBehindANulByte) {
  using namespace std::string_literals;
  const auto answer = replace_with("{\"data\":1}\0{\"data\":2}"s);
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err, HasSubstr("NUL"));
  expect_nothing_changed();
}

TEST_F(EditTest, ReplacesAPayloadThatCannotBeDecodedByAFile) {
  store_payload("'" + brackets(20'000) + "'");
  const auto in_part = set("/x=1");
  EXPECT_EQ(in_part.status, 65);
  EXPECT_THAT(in_part.err, HasSubstr("cannot be decoded"));
  EXPECT_THAT(in_part.err, HasSubstr("--file"));
  const auto whole = replace_with(R"({"order_id":8})");
  EXPECT_EQ(whole.status, 0) << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("replace"));
  EXPECT_EQ(payload(4), R"({"order_id":8})");
}

TEST_F(EditTest, ReplacesDamagedCborByAFile) {
  store_payload("x'ff'", "cbor");
  EXPECT_EQ(replace_with("1").status, 0);
  EXPECT_EQ(payload(4), "1");
}

TEST_F(EditTest, ALetterTooDeepToDecodeCanBeShownAndListed) {
  store_payload("'" + brackets(65'000) + "'");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"show", "1"}, {"show", "1", "--json"}, {"list"}, {"list", "--where", "/a=1"}, {"groups"}}) {
    EXPECT_EQ(call(arguments).status, 0) << arguments.front();
  }
}

TEST_F(EditTest, ImportRefusesPayloadsThatNestTooDeeply) {
  store_payload("'{\"x\":" + brackets(900) + "}'");
  std::string line = take_out();
  line.replace(line.find(brackets(900)), 1'800, brackets(1'500));
  input_ = line;
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.err, HasSubstr("nests deeper than 100"));
}

TEST_F(EditTest, ImportRefusesTextBehindANulByte) {
  const std::string line = take_out();
  input_ = line + '\0' + R"({"type":"lost"})" + "\n";
  const auto answer = call({"import", "-"});
  EXPECT_EQ(answer.status, 65);
  EXPECT_THAT(answer.out, HasSubstr("0 letters imported"));
  EXPECT_THAT(answer.err, HasSubstr("NUL"));
}

}  // namespace
}  // namespace tidings::dead_letters
