#pragma once

#include "gate.hpp"

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::test {

/// Takes records until one has this in it, and then nothing until its gate opens.
class StuckSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit StuckSink(std::string stuck_at) : stuck_at_(std::move(stuck_at)) {}
  Gate gate;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    if (line.find(stuck_at_) != std::string_view::npos) gate.pass();
  }
  void flush_() override {}

 private:
  const std::string stuck_at_;
};

}  // namespace tidings::test
