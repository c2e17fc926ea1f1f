#include <tidings/logging/redactor.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tidings::logging {
namespace {

struct Example {
  std::string text;
  std::string redacted;
};

std::string cell(const std::string& row, std::size_t number) {
  std::size_t begin = 0;
  for (; number > 0; --number) begin = row.find(" | ", begin) + 3;
  const std::string text = row.substr(begin, row.find(" |", begin) - begin);
  return text.size() > 2 && text.front() == '`' ? text.substr(1, text.size() - 2) : std::string();
}

/// The rows of the table below a heading of docs/logging.md.
std::vector<Example> examples_below(const std::string& heading) {
  std::ifstream document(std::filesystem::path(TIDINGS_REDACTION_CORPUS) / "../../../docs/logging.md");
  std::vector<Example> examples;
  bool below = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("#")) below = line == heading;
    if (!below || !line.starts_with("| ")) continue;
    const Example example{cell(line, 1), cell(line, 2)};
    if (!example.text.empty()) examples.push_back(example);
  }
  return examples;
}

TEST(DocumentedRedactionTest, SecretsBecomeWhatTheDocumentSays) {
  const auto examples = examples_below("### What is masked in running text");
  EXPECT_EQ(examples.size(), 26U);
  for (const auto& [text, redacted] : examples) EXPECT_EQ(default_redactor()->redact_text(text), redacted);
}

TEST(DocumentedRedactionTest, SoDoesPersonalData) {
  const Redactor personal({.profile = RedactionProfile::PersonalData});
  const auto examples = examples_below("### Personal data");
  EXPECT_EQ(examples.size(), 13U);
  for (const auto& [text, redacted] : examples) EXPECT_EQ(personal.redact_text(text), redacted);
}

}  // namespace
}  // namespace tidings::logging
