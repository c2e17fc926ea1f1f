#include "threads/housekeeper.hpp"

#include "threads/start_thread.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tidings::detail {

namespace {
/// With nothing due the thread still looks once an hour: no clock has to wait for ever.
constexpr std::chrono::hours kIdle{1};

thread_local constinit const Housekeeper* housekeeper_of_this_thread = nullptr;
}  // namespace

Housekeeper::Housekeeper(std::shared_ptr<Clock> clock, Duty duty)
    : clock_(std::move(clock)), duty_(std::move(duty)) {}

Housekeeper::~Housekeeper() { stop(); }

void Housekeeper::start() {
  thread_ = start_thread([this] { run(); });
}

void Housekeeper::stop() {
  stopping_.store(true);
  signal_.raise();
  if (thread_.joinable()) thread_.join();
}

bool Housekeeper::is_this_thread() const noexcept { return housekeeper_of_this_thread == this; }

void Housekeeper::run() {
  housekeeper_of_this_thread = this;
  while (!stopping_.load()) {
    const Instant now = clock_->monotonic_now();
    const Instant idle = now + kIdle;
    clock_->wait_until(signal_, std::min(duty_(now).value_or(idle), idle));
  }
}

}  // namespace tidings::detail
