#include "text/help_text.hpp"

#include "check_dead_letters/options.hpp"
#include "dead_letters/raw_command_line.hpp"
#include "text/columns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace tidings::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> too_wide(const std::string& help) {
  std::vector<std::string> lines;
  std::istringstream text(help);
  for (std::string line; std::getline(text, line);) {
    if (display_width(line) > kHelpWidth) lines.push_back(line);
  }
  return lines;
}

TEST(HelpText, OfEveryVerbFits) {
  for (const auto& verb : dead_letters::verb_names()) {
    const auto help = std::get<dead_letters::Information>(dead_letters::parse_raw({verb, "--help"})).text;
    EXPECT_THAT(help, HasSubstr("Examples:")) << verb;
    EXPECT_THAT(too_wide(help), IsEmpty()) << verb;
  }
}

TEST(HelpText, OfBothProgramsFits) {
  const auto tool = std::get<dead_letters::Information>(dead_letters::parse_raw({"--help"})).text;
  EXPECT_THAT(tool, HasSubstr("At 3 AM"));
  EXPECT_THAT(too_wide(tool), IsEmpty());
  const auto check = std::get<check_dead_letters::Information>(
                         check_dead_letters::parse_options({"--help"}, nullptr, Timestamp{}))
                         .text;
  EXPECT_THAT(check, HasSubstr("RANGE is"));
  EXPECT_THAT(too_wide(check), IsEmpty());
}

TEST(HelpText, SaysThatTimesAreInUtc) {
  for (const auto& help :
       {std::get<dead_letters::Information>(dead_letters::parse_raw({"--help"})).text,
        std::get<dead_letters::Information>(dead_letters::parse_raw({"list", "--help"})).text,
        std::get<check_dead_letters::Information>(
            check_dead_letters::parse_options({"--help"}, nullptr, Timestamp{}))
            .text})
    EXPECT_THAT(help, HasSubstr("in UTC"));
}

TEST(HelpText, IsWrappedInTheRightColumnAndLeftAloneElsewhere) {
  const std::string left = "  --option VALUE              ";
  ASSERT_EQ(left.size(), 30U);
  const std::string words(49, 'x');
  EXPECT_EQ(fit_help(left + words + " more\n"), left + words + "\n" + std::string(30, ' ') + "more\n");
  const std::string wide(90, 'x');
  EXPECT_EQ(fit_help("short\n\n" + wide + "\n"), "short\n\n" + wide + "\n");
}

}  // namespace
}  // namespace tidings::tools
