#include <tidings/bus.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>

// Code that works with a bus and is unloaded before the bus ends: see tests/bus/unloaded_code_test.cpp.

namespace {

struct PluginEvent {
  static constexpr std::string_view event_type = "plugin.event";
  static constexpr std::array<std::string_view, 1> masked_fields = {"/text"};
  std::string text = "longer than what a string keeps in itself";
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PluginEvent, text)
};

tidings::Subscription& own_subscription() {
  static tidings::Subscription subscription;
  return subscription;
}

}  // namespace

/// Has events wait in queues, for retries and as letters.
extern "C" void plugin_begin(tidings::Bus& bus) {
  const tidings::RetryPolicy again{.max_attempts = 2,
                                   .backoff = tidings::constant(std::chrono::milliseconds(1))};
  own_subscription() =
      bus.subscribe<PluginEvent>("plugin", [](const PluginEvent&) { throw std::runtime_error("not today"); },
                                 {.dispatch = tidings::Dispatch::Queued, .retry = again});
  for (int i = 0; i < 100; ++i) bus.publish(PluginEvent{});
}

extern "C" void plugin_end() { own_subscription().reset(); }
