#include "architecture/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
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

// That each header stands alone is checked by the preset clang, which compiles each by itself.

TEST(PublicHeaders, KeepHeavyHeadersFromTheirUsers) {
  for (const TreeFile& header : public_headers()) {
    for (const char* heavy : {"<iostream>", "<regex>", "<sqlite3.h>", "<SQLiteCpp/"}) {
      EXPECT_THAT(lines_with(header, std::string("#include ") + heavy), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace tidings::architecture
