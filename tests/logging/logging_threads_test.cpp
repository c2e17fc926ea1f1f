#include <tidings/context.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/sampling.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace tidings::logging {
namespace {

template <class Work>
void on_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int index = 0; index < count; ++index) threads.emplace_back([&work, index] { work(index); });
  for (std::thread& thread : threads) thread.join();
}

TEST(LoggingThreadsTest, EachRecordHasItsOwnThreadsContext) {
  const Capture capture;
  const Logger log = capture.logger();
  on_threads(8, [&](int index) {
    const ContextScope scope(Context::from_id("request-" + std::to_string(index)));
    const ContextScope fields({{"thread", index}});
    for (int n = 0; n < 200; ++n) log.info("e", {{"n", n}});
  });
  const auto records = capture.records("e");
  ASSERT_EQ(records.size(), 1600U);
  for (const Json& record : records) {
    EXPECT_EQ(record.at("correlation_id"), "request-" + std::to_string(record.at("thread").get<int>()));
  }
}

TEST(LoggingThreadsTest, LoggersLevelsAndTheDefaultMayChangeWhileOthersLog) {
  const Capture capture;
  const Logger original;
  const Logger log = capture.logger({.processors = {sample_bursts({.first = 10, .then_every = 10})}});
  Logger::set_default(log);
  on_threads(8, [&](int index) {
    for (int n = 0; n < 100; ++n) {
      const Logger child = log.child("thread." + std::to_string(index % 3)).bind({{"n", n}});
      child.info("e");
      child.set_level("thread", n % 2 == 0 ? Level::Debug : Level::Error);
      Logger().warning("through_default");
      if (index == 0) Logger::set_default(child);
    }
  });
  Logger::set_default(original);
  EXPECT_GE(capture.count("through_default"), 1U);
  EXPECT_EQ(log.dropped(), 0U);
}

struct LogsAtThreadEnd {
  explicit LogsAtThreadEnd(const Logger& to) : log(to) {}
  LogsAtThreadEnd(const LogsAtThreadEnd&) = delete;
  LogsAtThreadEnd& operator=(const LogsAtThreadEnd&) = delete;
  ~LogsAtThreadEnd() { log.info("at_thread_end", {{"text", std::string(100, 'x')}}); }
  Logger log;
};

TEST(LoggingThreadsTest, DestructorsOfThreadLocalsMayLog) {
  const Capture capture;
  on_threads(4, [&](int) {
    static thread_local const LogsAtThreadEnd first(
        capture.logger());  // destroyed after the logger's own buffers
    first.log.info("while_running");
  });
  EXPECT_EQ(capture.count("while_running"), 4U);
  EXPECT_EQ(capture.count("at_thread_end"), 4U);
}

}  // namespace
}  // namespace tidings::logging
