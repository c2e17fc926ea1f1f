#include "architecture/compiler.hpp"
#include "architecture/inclusions.hpp"
#include "architecture/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::IsEmpty;

std::vector<TreeFile> public_headers() {
  std::vector<TreeFile> headers;
  for (const TreeFile& file : tree_files()) {
    if (file.is_public_header()) headers.push_back(file);
  }
  return headers;
}

/// As in `#include <name>`.
std::string name_of(const TreeFile& header) {
  constexpr std::string_view kFolder = "/include/";
  return header.path.substr(header.path.find(kFolder) + kFolder.size());
}

/// The headers that a source of a library names first, and is compiled with there as if alone.
std::set<std::string> first_inclusions() {
  constexpr std::string_view kInclude = "#include <";
  std::set<std::string> found;
  for (const TreeFile& file : tree_files()) {
    if (!file.path.ends_with(".cpp") || file.path.find("/src/") == std::string::npos) continue;
    const std::size_t begin = file.text.find("#include ");
    if (begin == std::string::npos || file.text.compare(begin, kInclude.size(), kInclude) != 0) continue;
    const std::size_t name = begin + kInclude.size();
    found.insert(file.text.substr(name, file.text.find('>', name) - name));
  }
  return found;
}

class PublicHeadersOf : public ::testing::TestWithParam<const char*> {};

// Those that are the first of a source are compiled alone by the preset release, which compiles each source
// by itself.
TEST_P(PublicHeadersOf, StandAloneIfNoSourceBeginsWithThem) {
  const std::set<std::string> first = first_inclusions();
  for (const TreeFile& header : public_headers()) {
    if (module_of(header.path) != GetParam() || first.contains(name_of(header))) continue;
    const auto compilation = compile_in(GetParam(), "#include <" + name_of(header) + ">\n");
    EXPECT_TRUE(compilation.accepted) << header.path << ": " << compilation.messages;
  }
}

INSTANTIATE_TEST_SUITE_P(Modules, PublicHeadersOf,
                         ::testing::Values("events", "logging", "bus", "deadletter", "encryption",
                                           "telemetry"));

TEST(PublicHeaders, AreOfTheModulesThatAreCompiledAlone) {
  const std::set<std::string> known = {"events", "logging", "bus", "deadletter", "encryption", "telemetry"};
  std::set<std::string> found;
  for (const TreeFile& header : public_headers()) found.insert(module_of(header.path));
  EXPECT_EQ(found, known);
}

TEST(PublicHeaders, KeepHeavyHeadersFromTheirUsers) {
  for (const TreeFile& header : public_headers()) {
    for (const char* heavy : {"<iostream>", "<regex>", "<sqlite3.h>", "<SQLiteCpp/", "<curl/", "<zlib.h>"}) {
      EXPECT_THAT(lines_with(header, std::string("#include ") + heavy), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace tidings::architecture
