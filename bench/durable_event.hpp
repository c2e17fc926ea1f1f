#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::bench {

/// What the rows about durability publish: 300 bytes of JSON.
struct DurableEvent {
  static constexpr std::string_view event_type = "bench.durable";
  std::int64_t order_id = 1'000'001;
  std::string customer = "customer-0000007";
  std::string note = std::string(240, 'n');
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(DurableEvent, order_id, customer, note)
};

}  // namespace tidings::bench
