#include "encryption/key_files.hpp"

#include "keys/key_file.hpp"

#include <tidings/error.hpp>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace tidings::encryption {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class KeyFileRuleTest : public KeyFileTest {
 protected:
  [[nodiscard]] std::string refusal(const std::string& text, ::mode_t mode = 0600) const {
    try {
      static_cast<void>(FileCipher::open(key_file(text, mode)));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(KeyFileRuleTest, HasAKeyALineAndTheFirstWrites) {
  const auto opened = cipher("# made in spring\n\nk2:" + key_of('a') + "\r\nk1:" + key_of('B') + "\n");
  EXPECT_THAT(opened->key_ids(), ElementsAre("k2", "k1"));
  EXPECT_EQ(opened->writing_key(), "k2");
}

TEST_F(KeyFileRuleTest, ALineThatIsNoKeyIsRefusedWithoutSayingWhatIsInIt) {
  const std::string good = "k1:" + key_of('a') + "\n";
  EXPECT_THAT(refusal(good + key_of('c') + "\n"),
              AllOf(HasSubstr("line 2 is not id:key"), Not(HasSubstr("cccccc"))));
  EXPECT_THAT(refusal("k 1:" + key_of('c')), AllOf(HasSubstr("line 1"), Not(HasSubstr("cccccc"))));
  EXPECT_THAT(refusal("k1:" + key_of('c') + "c"),
              AllOf(HasSubstr("64 hexadecimal"), Not(HasSubstr("cccccc"))));
  EXPECT_THAT(refusal("k1:" + std::string(64, 'x')),
              AllOf(HasSubstr("64 hexadecimal"), Not(HasSubstr("xxxxxx"))));
  EXPECT_THAT(refusal("k1:" + std::string(63, 'c') + " "), HasSubstr("64 hexadecimal"));
  EXPECT_THAT(refusal(good + good), HasSubstr("line 2 has the name of an earlier key"));
  EXPECT_THAT(refusal("# nothing\n"), HasSubstr("has no key"));
  EXPECT_THAT(refusal(""), HasSubstr("has no key"));
}

TEST_F(KeyFileRuleTest, AFileThatOthersMayUseIsRefused) {
  const std::string good = "k1:" + key_of('a') + "\n";
  for (const ::mode_t mode : {0604U, 0602U, 0620U, 0601U})
    EXPECT_THAT(refusal(good, mode), HasSubstr("chmod 600"));
  EXPECT_EQ(refusal(good, 0440), "accepted");
}

TEST_F(KeyFileRuleTest, WhatIsNoFileIsRefused) {
  EXPECT_THROW(static_cast<void>(FileCipher::open(folder_.path())), Error);
  EXPECT_THROW(static_cast<void>(FileCipher::open(folder_.path("missing"))), Error);
  EXPECT_THAT(refusal(std::string(70'000, '#')), HasSubstr("larger than a key file is"));
}

TEST_F(KeyFileRuleTest, IsMadeForItsUserAloneAndNeverOverAnother) {
  const auto path = folder_.path("new");
  const std::string id = create_key_file(path);
  EXPECT_EQ(deadletter::mode_of(path), 0600U);
  EXPECT_THAT(FileCipher::open(path)->key_ids(), ElementsAre(id));
  const std::string before = read_file(path);
  EXPECT_THROW(static_cast<void>(create_key_file(path)), Error);
  EXPECT_EQ(read_file(path), before);
}

TEST_F(KeyFileRuleTest, ANewKeyGoesBeforeTheOthersAndTheFileKeepsItsMode) {
  const auto path = key_file("k1:" + key_of('a') + "\n", 0440);
  const std::string id = add_key(path);
  EXPECT_THAT(FileCipher::open(path)->key_ids(), ElementsAre(id, "k1"));
  EXPECT_EQ(deadletter::mode_of(path), 0440U);
  EXPECT_FALSE(std::filesystem::exists(folder_.path("keys.new")));
}

TEST_F(KeyFileRuleTest, AKeyIsAddedToNoFileThatIsNone) {
  EXPECT_THROW(static_cast<void>(add_key(key_file("no key\n"))), Error);
  EXPECT_THROW(static_cast<void>(add_key(folder_.path("missing"))), Error);
}

/// As on a full disk: no file gets larger than this.
class SmallFiles {
 public:
  explicit SmallFiles(::rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    ::rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_before_);
  }

 private:
  ::rlimit before_{};
  void (*const signal_before_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

TEST_F(KeyFileRuleTest, WhatCannotBeWrittenIsNotLeftHalfMade) {
  const std::string text = "k1:" + key_of('a') + "\n";
  const auto path = key_file(text);
  {
    const SmallFiles full(50);
    EXPECT_THROW(static_cast<void>(create_key_file(folder_.path("new"))), Error);
    EXPECT_THROW(static_cast<void>(add_key(path)), Error);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path("new")));
  EXPECT_FALSE(std::filesystem::exists(folder_.path("keys.new")));
  EXPECT_EQ(read_file(path), text);
}

TEST_F(KeyFileRuleTest, AFileThatWouldGetTooLargeStaysAsItWas) {
  const std::string text = "k1:" + key_of('a') + "\n#" + std::string(65'400, ' ');
  const auto path = key_file(text);
  EXPECT_THROW(static_cast<void>(add_key(path)), Error);
  EXPECT_EQ(read_file(path), text);
}

TEST_F(KeyFileRuleTest, AnotherNewFileThatIsThereIsLeftAlone) {
  const auto path = key_file("k1:" + key_of('a') + "\n");
  deadletter::write_file(folder_.path("keys.new"), "another's");
  EXPECT_THROW(static_cast<void>(add_key(path)), Error);
  EXPECT_EQ(read_file(folder_.path("keys.new")), "another's");
  EXPECT_THAT(FileCipher::open(path)->key_ids(), ElementsAre("k1"));
}

TEST_F(KeyFileRuleTest, IsNamedByTheEnvironment) {
  ::unsetenv("TIDINGS_KEY_FILE");
  EXPECT_EQ(FileCipher::open_from_environment(), nullptr);
  ::setenv("TIDINGS_KEY_FILE", key_file("k1:" + key_of('a')).c_str(), 1);
  EXPECT_EQ(FileCipher::open_from_environment()->writing_key(), "k1");
  ::unsetenv("TIDINGS_KEY_FILE");
}

}  // namespace
}  // namespace tidings::encryption
