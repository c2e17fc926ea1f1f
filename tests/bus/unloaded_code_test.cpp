#include "bus_fixture.hpp"

#include <dlfcn.h>

#include <atomic>
#include <string>

namespace tidings::test {
namespace {

/// A library that has published and subscribed.
class UnloadedCodeTest : public BusTest {
 protected:
  void SetUp() override {
    library_ = ::dlopen(TIDINGS_PASSING_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << ::dlerror();
  }
  template <class Function>
  [[nodiscard]] Function find(const char* name) const {
    return reinterpret_cast<Function>(::dlsym(library_, name));
  }
  void unload() {
    ASSERT_EQ(::dlclose(library_), 0);
    EXPECT_EQ(::dlopen(TIDINGS_PASSING_PLUGIN, RTLD_NOW | RTLD_NOLOAD), nullptr);
  }

  void* library_ = nullptr;
};

TEST_F(UnloadedCodeTest, MayGoWhenItsSubscriptionsAreResetAndTheBusIsIdle) {
  Bus bus(options());
  std::atomic<int> seen{0};
  auto queued =
      bus.subscribe("plugin.event", "host", [&](const Json&) { ++seen; }, {.dispatch = Dispatch::Queued});
  auto all = bus.subscribe_all("audit", [&](const Json&) { ++seen; }, {.dispatch = Dispatch::Queued});
  find<void (*)(Bus&)>("plugin_begin")(bus);
  find<void (*)()>("plugin_end")();
  ASSERT_TRUE(bus.wait_idle(kLong));
  unload();
  bus.publish("plugin.event", Json{{"text", "after"}});
  ASSERT_TRUE(bus.wait_idle(kLong));
  EXPECT_EQ(seen, 202);
  EXPECT_EQ(letters_->letters().size(), 100U);
}

TEST_F(UnloadedCodeTest, WhatItsTypesAskedForHoldsAfterwards) {
  Bus bus(options());
  find<void (*)(Bus&)>("plugin_begin")(bus);
  find<void (*)()>("plugin_end")();
  ASSERT_TRUE(bus.wait_idle(kLong));
  unload();
  auto failing = bus.subscribe("plugin.event", "host", [&](const Json&) { throw Permanent("no"); });
  bus.publish("plugin.event", Json{{"text", "after"}});
  EXPECT_EQ(letters_->letters().back().data.bytes, R"({"text":"[masked]"})");
}

}  // namespace
}  // namespace tidings::test
