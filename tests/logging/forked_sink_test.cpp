#include "bus/gate.hpp"
#include "deadletter/temporary_folder.hpp"

#include <tidings/logging/logger.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

namespace tidings::logging {
namespace {

/// Holds the first thread that asks, which is one that writes.
class HeldClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const noexcept override { return {}; }
  [[nodiscard]] Instant monotonic_now() const noexcept override {
    if (auto* const gate = gate_.exchange(nullptr)) gate->pass();
    return {};
  }
  void wait_until(Signal& /*signal*/, Instant /*deadline*/) override {}
  void hold_at(test::Gate& gate) { gate_.store(&gate); }

 private:
  mutable std::atomic<test::Gate*> gate_{nullptr};
};

TEST(ForkedSinkTest, AForkedChildDoesNotWaitForAThreadThatItDoesNotHave) {
  const auto clock = std::make_shared<HeldClock>();
  const deadletter::TemporaryFolder folder;
  const auto sink = file_sink({.path = folder.path("app.log"), .clock = clock});
  const Logger log(LoggerOptions{.level = Level::Info, .format = Format::Json, .sinks = {sink}});
  test::Gate gate;
  clock->hold_at(gate);
  std::thread writer([&] { log.info("e", {{"n", 1}}); });
  gate.await_arrival();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(5);
    log.info("e", {{"n", 2}});
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  gate.open();
  writer.join();
  const std::string text = deadletter::read_file(folder.path("app.log"));
  EXPECT_LT(text.find("\"n\":2}\n"), text.find("\"n\":1}\n")) << text;
}

}  // namespace
}  // namespace tidings::logging
