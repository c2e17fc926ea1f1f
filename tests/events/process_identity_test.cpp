#include <tidings/process_identity.hpp>

#include <tidings/error.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace tidings {
namespace {

/// The exit status of `code` in a forked child.
template <class Code>
int status_in_child(const Code& code) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(code());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Puts back what tests set.
class ProcessIdentityTest : public testing::Test {
 protected:
  ~ProcessIdentityTest() override { set_process_identity({}); }
};

TEST_F(ProcessIdentityTest, TheHostIsTheSystems) {
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size()), 0);
  EXPECT_EQ(process_identity().host, name.data());
}

TEST_F(ProcessIdentityTest, WhatIsSetHoldsAndTheRestStays) {
  const ProcessIdentity& before = process_identity();
  const std::string host = before.host;
  set_process_identity({.environment = "staging", .release = "orders@1.4.2"});
  EXPECT_EQ(process_identity().host, host);
  EXPECT_EQ(process_identity().environment, "staging");
  EXPECT_EQ(process_identity().release, "orders@1.4.2");
  EXPECT_EQ(before.release, "") << "what was read before stays valid";
  set_process_identity({.host = "web-7"});
  EXPECT_EQ(process_identity().host, "web-7");
}

TEST_F(ProcessIdentityTest, WhatIsNoNameIsRefused) {
  EXPECT_THROW(set_process_identity({.environment = "two words"}), Error);
  EXPECT_THROW(set_process_identity({.release = "line\nbreak"}), Error);
  EXPECT_THROW(set_process_identity({.host = std::string(201, 'h')}), Error);
  EXPECT_EQ(process_identity().environment, "");
}

[[noreturn]] void print_identity_and_exit() {
  const ProcessIdentity& identity = process_identity();
  std::fprintf(stderr, "environment=%s release=%s", identity.environment.c_str(), identity.release.c_str());
  std::exit(0);
}

/// Runs each EXPECT_EXIT in a new process, which has read no variable yet.
class ProcessIdentityDeathTest : public testing::Test {
 protected:
  ProcessIdentityDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  ~ProcessIdentityDeathTest() override {
    ::unsetenv("TIDINGS_ENVIRONMENT");
    ::unsetenv("TIDINGS_RELEASE");
  }
};

TEST_F(ProcessIdentityDeathTest, EnvironmentAndReleaseAreReadFromTheirVariables) {
  ::setenv("TIDINGS_ENVIRONMENT", "production", 1);
  ::setenv("TIDINGS_RELEASE", "orders@1.4.2", 1);
  EXPECT_EXIT(print_identity_and_exit(), testing::ExitedWithCode(0),
              "environment=production release=orders@1.4.2");
}

TEST_F(ProcessIdentityDeathTest, AVariableThatIsNoNameCountsAsNotSet) {
  ::setenv("TIDINGS_ENVIRONMENT", "two words", 1);
  ::setenv("TIDINGS_RELEASE", "r1", 1);
  EXPECT_EXIT(print_identity_and_exit(), testing::ExitedWithCode(0), "environment= release=r1");
}

TEST_F(ProcessIdentityDeathTest, WhatIsSetInCodeWinsOverAVariable) {
  ::setenv("TIDINGS_ENVIRONMENT", "production", 1);
  ::setenv("TIDINGS_RELEASE", "r1", 1);
  EXPECT_EXIT(
      {
        set_process_identity({.release = "r2"});
        print_identity_and_exit();
      },
      testing::ExitedWithCode(0), "environment=production release=r2");
}

TEST_F(ProcessIdentityTest, AForkedChildHasItsOwnIds) {
  EXPECT_EQ(process_id(), ::getpid());
  EXPECT_EQ(thread_id(), ::gettid());
  EXPECT_EQ(status_in_child([] { return process_id() == ::getpid() && thread_id() == ::gettid() ? 7 : 8; }),
            7);
  EXPECT_EQ(process_id(), ::getpid()) << "the parent keeps its own";
}

TEST_F(ProcessIdentityTest, EachThreadHasItsId) {
  std::int64_t other = 0;
  std::thread([&] { other = thread_id(); }).join();
  EXPECT_EQ(thread_id(), thread_id());
  EXPECT_NE(other, thread_id());
  EXPECT_GT(other, 0);
}

}  // namespace
}  // namespace tidings
