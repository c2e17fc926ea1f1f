#include "subscriptions/publish_gate.hpp"

#include "subscriptions/hazard.hpp"

#include <tidings/error.hpp>

#include <thread>

namespace tidings::detail {
namespace {

/// How often a stop looks whether the last publisher has left. Publishers pay nothing to announce that they
/// leave.
constexpr std::chrono::milliseconds kLookForPublishers{1};

}  // namespace

void PublishGate::throw_stopped() {
  throw Error(ErrorCode::BusStopped, "the bus is stopped and accepts no events; nothing was delivered");
}

bool PublishGate::publisher_inside() const {
  return any_slot([this](const HazardSlot& slot) {
    // In this order: a slot's bus is set before its list.
    return slot.list.load(std::memory_order_seq_cst) != nullptr &&
           slot.bus.load(std::memory_order_relaxed) == &setup_;
  });
}

void PublishGate::wait_until_empty(std::chrono::steady_clock::time_point deadline) const {
  while (publisher_inside() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(kLookForPublishers);
}

}  // namespace tidings::detail
