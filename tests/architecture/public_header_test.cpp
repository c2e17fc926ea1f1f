#include "architecture/compiler.hpp"
#include "architecture/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidings::architecture {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<TreeFile> public_headers() {
  std::vector<TreeFile> headers;
  for (const TreeFile& file : tree_files()) {
    if (file.is_public_header()) headers.push_back(file);
  }
  return headers;
}

std::string module_of(const TreeFile& header) { return header.path.substr(0, header.path.find('/')); }

/// As users write it: `tidings/bus.hpp`.
std::string included_as(const TreeFile& header) {
  return header.path.substr(header.path.find("/include/") + 9);
}

std::string test_name(const ::testing::TestParamInfo<TreeFile>& info) {
  std::string name = included_as(info.param);
  for (char& c : name) {
    if (c == '/' || c == '.') c = '_';
  }
  return name;
}

class PublicHeader : public ::testing::TestWithParam<TreeFile> {};

TEST_P(PublicHeader, StandsAlone) {
  const std::string include = "#include <" + included_as(GetParam()) + ">\n";
  const auto compilation = compile_in(module_of(GetParam()), include);
  EXPECT_TRUE(compilation.accepted) << compilation.messages;
}

INSTANTIATE_TEST_SUITE_P(All, PublicHeader, ::testing::ValuesIn(public_headers()), test_name);

TEST(PublicHeaders, KeepHeavyHeadersFromTheirUsers) {
  for (const TreeFile& header : public_headers()) {
    for (const char* heavy : {"<iostream>", "<regex>", "<sqlite3.h>", "<SQLiteCpp/"}) {
      EXPECT_THAT(lines_with(header, std::string("#include ") + heavy), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace tidings::architecture
