#include <tidings/context.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What docs/context.md says of coroutines, with those of C++20.

namespace tidings {
namespace {

using testing::ElementsAre;

/// A coroutine that suspends wherever it awaits, and is resumed by whoever has it, on any thread.
class Task {
 public:
  struct promise_type {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  void resume() { handle_.resume(); }
  void resume_elsewhere() {
    std::thread([&] { resume(); }).join();
  }
  [[nodiscard]] bool done() const { return handle_.done(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

std::string user() {
  const Context current = Context::current();
  const ContextValue* const value = current.fields.find("user");
  return value == nullptr ? "nobody" : *value->text();
}

/// Serves one request in three steps, between which it suspends.
Task serve(Context request, std::vector<std::string>& seen) {
  for (int step = 0; step < 3; ++step) {
    {
      const ContextScope scope(request);
      seen.push_back(user());
      const ContextScope inner({{"step", std::int64_t{step}}});
      request = Context::current();
    }
    co_await std::suspend_always();
  }
  seen.push_back(user());
}

TEST(ContextInACoroutine, IsRestoredBetweenSuspensionsOnWhateverThread) {
  std::vector<std::string> ada_saw;
  std::vector<std::string> bob_saw;
  Task ada = serve(Context::fresh().with({{"user", "ada"}}), ada_saw);
  Task bob = serve(Context::fresh().with({{"user", "bob"}}), bob_saw);
  const ContextScope mine(Context::fresh().with({{"user", "me"}}));
  for (int step = 0; step < 2; ++step) {
    ada.resume();
    EXPECT_EQ(user(), "me");
    bob.resume_elsewhere();
    EXPECT_EQ(user(), "me");
  }
  bob.resume();
  ada.resume_elsewhere();
  EXPECT_EQ(user(), "me");
  ada.resume_elsewhere();  // where no scope is open
  bob.resume();            // here, where mine is
  EXPECT_TRUE(ada.done());
  EXPECT_TRUE(bob.done());
  EXPECT_THAT(ada_saw, ElementsAre("ada", "ada", "ada", "nobody"));
  EXPECT_THAT(bob_saw, ElementsAre("bob", "bob", "bob", "me"));
}

}  // namespace
}  // namespace tidings
