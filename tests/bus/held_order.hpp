#pragma once

#include "gate.hpp"

#include <tidings/event.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::test {

/// An order that holds up whoever writes its JSON, at a gate if it has one: a letter can be stopped while it
/// is being made.
struct HeldOrder {
  static constexpr std::string_view event_type = "orders.held";
  std::int64_t order_id{};
  std::string customer{};
  Gate* gate = nullptr;

  friend void to_json(Json& json, const HeldOrder& order) {
    if (order.gate != nullptr) order.gate->pass();
    json = {{"order_id", order.order_id}, {"customer", order.customer}};
  }
  friend void from_json(const Json& json, HeldOrder& order) {
    json.at("order_id").get_to(order.order_id);
    json.at("customer").get_to(order.customer);
  }
};

}  // namespace tidings::test
