#include <tidings/logging/error_description.hpp>

#include <tidings/error.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace tidings::logging {
namespace {

template <class Throw>
ErrorDescription described(const Throw& thrower) {
  try {
    thrower();
  } catch (...) {
    return describe_error(std::current_exception());
  }
  return {};
}

void open_file() { throw std::invalid_argument("no such file"); }

void load_settings() {
  try {
    open_file();
  } catch (...) {
    std::throw_with_nested(std::runtime_error("cannot load settings"));
  }
}

void start() {
  try {
    load_settings();
  } catch (...) {
    std::throw_with_nested(Error(ErrorCode::InvalidArgument, "cannot start"));
  }
}

void nest(int levels) {
  if (levels == 0) throw 1;
  try {
    nest(levels - 1);
  } catch (...) {
    std::throw_with_nested(std::runtime_error(std::to_string(levels)));
  }
}

TEST(ErrorDescriptionTest, SaysTypeAndMessage) {
  const ErrorDescription error = described([] { throw Error(ErrorCode::QueueFull, "no room"); });
  EXPECT_EQ(error.type, "tidings::Error");
  EXPECT_EQ(error.message, "no room");
  EXPECT_TRUE(error.causes.empty());
}

TEST(ErrorDescriptionTest, NestedExceptionsAreAChainOutermostFirst) {
  const std::vector<std::string> causes = {"std::runtime_error: cannot load settings",
                                           "std::invalid_argument: no such file"};
  const ErrorDescription by_pointer = described(start);
  EXPECT_EQ(by_pointer.type, "tidings::Error");
  EXPECT_EQ(by_pointer.causes, causes);
  try {
    start();
  } catch (const std::exception& exception) {
    EXPECT_EQ(describe_error(exception).causes, causes);
  }
}

TEST(ErrorDescriptionTest, TheCodeIsThatOfTheFirstSystemErrorOfTheChain) {
  const auto refused = [] { throw std::system_error(std::make_error_code(std::errc::connection_refused)); };
  EXPECT_EQ(described(refused).code, "generic:111");
  EXPECT_EQ(described([&] {
              try {
                refused();
              } catch (...) {
                std::throw_with_nested(std::runtime_error("outer"));
              }
            }).code,
            "generic:111");
  EXPECT_EQ(described([] { throw std::runtime_error("none"); }).code, "");
}

TEST(ErrorDescriptionTest, AnEndlessChainIsCut) {
  EXPECT_EQ(described([] { nest(100); }).causes.size(), 16U);
}

TEST(ErrorDescriptionTest, WhateverIsThrownIsDescribed) {
  EXPECT_EQ(described([] { throw 42; }).type, "int");
  EXPECT_EQ(described([] { throw std::string("text"); }).message, "text");
  EXPECT_EQ(described([] { throw std::string("text"); }).type, "std::string");
  EXPECT_EQ(described([] { throw "literal"; }).message, "literal");
  EXPECT_EQ(describe_error(std::exception_ptr()).type, "");
}

struct Speechless : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};

TEST(ErrorDescriptionTest, AnExceptionWhoseWhatIsNullSaysSo) {
  constexpr const char* kMessage = "(no message: what() returned a null pointer)";
  EXPECT_EQ(described([] { throw Speechless(); }).message, kMessage);
  EXPECT_EQ(describe_error(Speechless()).message, kMessage);
}

}  // namespace
}  // namespace tidings::logging
