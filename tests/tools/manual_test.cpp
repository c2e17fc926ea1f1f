#include "check_dead_letters/options.hpp"
#include "tools/project_files.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <sstream>

namespace tidings::check_dead_letters {
namespace {

constexpr const char* kManual = "docs/man/check-dead-letters.1";

/// The words of `text` that are options: `-w`, `--warning`.
std::set<std::string> options_in(const std::string& text) {
  std::set<std::string> options;
  for (std::size_t at = text.find('-'); at != std::string::npos; at = text.find('-', at)) {
    std::size_t end = at;
    while (end < text.size() &&
           (std::isalpha(static_cast<unsigned char>(text[end])) != 0 || text[end] == '-'))
      ++end;
    const std::string word = text.substr(at, end - at);
    const bool begins_a_word = at == 0 || std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0;
    if (begins_a_word && word.find_first_not_of('-') != std::string::npos) options.insert(word);
    at = end + 1;
  }
  return options;
}

/// The first columns of the list of options.
std::set<std::string> options_of_help() {
  std::istringstream help(std::get<Information>(parse_options({"--help"}, nullptr, {})).text);
  std::set<std::string> options;
  for (std::string line; std::getline(help, line);) {
    if (line.starts_with("  -")) options.merge(options_in(line.substr(0, line.find(' ', 2))));
  }
  return options;
}

std::string without_backslashes(std::string text) {
  for (const char* escape : {"\\fR", "\\fB", "\\fI", "\\"}) {
    for (std::size_t at = text.find(escape); at != std::string::npos; at = text.find(escape)) {
      text.replace(at, std::string(escape).size(), escape[1] == 'f' ? " " : "");
    }
  }
  return text;
}

/// The tags, which follow .TP, of the section OPTIONS.
std::set<std::string> options_of_manual() {
  const std::string manual = project_file(kManual);
  const std::size_t start = manual.find("\n.SH OPTIONS\n");
  std::istringstream section(manual.substr(start, manual.find("\n.SH ", start + 1) - start));
  std::set<std::string> options;
  bool tag = false;
  for (std::string line; std::getline(section, line); tag = line == ".TP") {
    if (tag) options.merge(options_in(without_backslashes(line)));
  }
  return options;
}

TEST(Manual, HasEveryOptionOfTheHelpAndNoOther) {
  EXPECT_GE(options_of_help().size(), 20U);
  EXPECT_EQ(options_of_manual(), options_of_help());
}

TEST(Manual, HasTheSectionsThatReadersLookFor) {
  const std::string manual = project_file(kManual);
  for (const char* section : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "RANGES", "OUTPUT", "EXIT STATUS",
                              "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"}) {
    EXPECT_NE(manual.find(std::string("\n.SH ") + section + "\n"), std::string::npos) << section;
  }
  for (const char* example : {"cron", "systemd", "Nagios", "Icinga 2", "Prometheus"}) {
    EXPECT_NE(manual.find(std::string("\n.SS ") + example + "\n"), std::string::npos) << example;
  }
}

TEST(Manual, GuideNamesEveryOption) {
  const std::set<std::string> guide = options_in(project_file("docs/check-dead-letters.md"));
  for (const std::string& option : options_of_help()) EXPECT_TRUE(guide.contains(option)) << option;
}

TEST(Manual, NamesThisVersion) {
  const std::string version = std::get<Information>(parse_options({"-V"}, nullptr, {})).text;
  const std::string number = version.substr(version.rfind(' ') + 1, version.size() - version.rfind(' ') - 2);
  EXPECT_NE(project_file(kManual).find("\"tidings " + number + "\""), std::string::npos) << number;
}

}  // namespace
}  // namespace tidings::check_dead_letters
