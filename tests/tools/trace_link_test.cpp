#include "logging/variable.hpp"
#include "tools/dead_letters_fixture.hpp"

#include <string>

namespace tidings::dead_letters {
namespace {

using testing::HasSubstr;

class TraceLinkTest : public DeadLettersTest {};

TEST_F(TraceLinkTest, ShowNamesTheSpanOfEachAttemptAndLinksToItsTrace) {
  execute(
      "UPDATE dead_letters SET attempts = json_set(attempts, '$[0].span_id', '00f067aa0ba902b7',"
      " '$[0].trace_id', '4bf92f3577b34da6a3ce929d0e0e4736') WHERE id = 1");
  const auto document = [&] { return call({"show", "1", "--json"}).json().at("letter"); };
  EXPECT_THAT(call({"show", "1"}).out,
              HasSubstr("span 00f067aa0ba902b7 of trace 4bf92f3577b34da6a3ce929d0e0e4736"));
  EXPECT_EQ(document().at("attempts").at(0).at("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(document().at("trace_link"), nullptr);
  {
    const logging::Variable url("TIDINGS_TRACE_URL", "https://t/{trace_id}?s={span_id}#{trace_id}");
    const std::string link =
        "https://t/4bf92f3577b34da6a3ce929d0e0e4736?s=00f067aa0ba902b7#4bf92f3577b34da6a3ce929d0e0e4736";
    EXPECT_EQ(document().at("trace_link"), link);
    EXPECT_THAT(call({"show", "1"}).out, HasSubstr(link + "\n"));
    execute(
        "UPDATE dead_letters SET attempts = json_remove(attempts, '$[0].span_id'), traceparent ="
        " '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' WHERE id = 1");
    EXPECT_EQ(
        document().at("trace_link"),
        "https://t/0af7651916cd43dd8448eb211c80319c?s=b7ad6b7169203331#0af7651916cd43dd8448eb211c80319c");
  }
  for (const char* useless : {"https://t/", "javascript:{trace_id}", ""}) {
    const logging::Variable url("TIDINGS_TRACE_URL", useless);
    EXPECT_EQ(document().at("trace_link"), nullptr) << useless;
  }
}

}  // namespace
}  // namespace tidings::dead_letters
