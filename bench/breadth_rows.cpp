#include "inline_contenders.hpp"
#include "processor_time.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "statistics.hpp"

#include <string>
#include <string_view>
#include <vector>

// Inline dispatch by type name, and beside very many other types. One thread.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kHandlers = 4;
constexpr std::uint64_t kEvents = 12'000;
constexpr std::uint64_t kManyTypes = 10'000;

const std::string kByNameRow = "publish by type name, 4 handlers by name";
const std::string kTypedRow = "publish beside 10,000 other types with a handler";
const std::string kNamedRow = "publish by type name beside 10,000 other types";
const std::string kInTurnRow = "publish by type name to 10,000 types in turn";

Json to_json_event() { return Json(OrderPlaced{}); }

/// The fields of an object are in alphabetical order; order_id comes last.
std::int64_t& order_id_of(Json& data) { return data.back().get_ref<std::int64_t&>(); }

/// The handler of Handle, for an event that it gets as JSON.
class HandleJson {
 public:
  explicit HandleJson(std::uint64_t weight) noexcept : weight_(weight) {}
  void operator()(const Json& data) const {
    ++tally.count;
    tally.sum += weight_ * static_cast<std::uint64_t>(data.back().get_ref<const std::int64_t&>());
  }

 private:
  std::uint64_t weight_;
};

/// Publishes JSON to handlers by name, `handlers` for each of `types` types, in turn.
class NamedContender {
 public:
  NamedContender(Bus& bus, std::string_view prefix, std::uint64_t types, std::uint64_t handlers)
      : bus_(bus), handlers_(handlers) {
    for (std::uint64_t type = 0; type < types; ++type) {
      types_.push_back(std::string(prefix) + std::to_string(type));
      for (std::uint64_t weight = 1; weight <= handlers; ++weight) {
        subscriptions_.push_back(
            bus.subscribe(types_.back(), "handler-" + std::to_string(weight), HandleJson(weight)));
      }
    }
  }
  void operator()(std::uint64_t events) {
    Json data = to_json_event();
    std::int64_t& order_id = order_id_of(data);
    auto type = types_.begin();
    checked(handlers_, events, [&] {
      for (std::uint64_t number = 1; number <= events; ++number) {
        order_id = static_cast<std::int64_t>(number);
        benchmark::DoNotOptimize(bus_.publish(*type, data));
        if (++type == types_.end()) type = types_.begin();
      }
    });
  }

 private:
  Bus& bus_;
  std::uint64_t handlers_;
  std::vector<std::string> types_;
  std::vector<Subscription> subscriptions_;
};

std::vector<Row> measure_by_name(const Settings& settings) {
  Bus bus{quiet_bus()};
  NamedContender named(bus, "bench.named_", 1, kHandlers);
  TidingsContender typed(bus, kHandlers);
  const auto series = take_turns(settings.short_rounds(), {[&] { return nanoseconds_each(kEvents, named); },
                                                           [&] { return nanoseconds_each(kEvents, typed); }});
  return {compare(kByNameRow, "ns", series[0], "a struct to 4 typed handlers", series[1], at_most(3.0))};
}

std::vector<Row> measure_breadth(const Settings& settings) {
  Bus lone_bus{quiet_bus()};
  NamedContender lone_named(lone_bus, "bench.named_", 1, kHandlers);
  TidingsContender lone_typed(lone_bus, kHandlers);
  Bus broad_bus{quiet_bus()};
  NamedContender others(broad_bus, "bench.other_", kManyTypes, 1);
  NamedContender named(broad_bus, "bench.named_", 1, kHandlers);
  TidingsContender typed(broad_bus, kHandlers);
  NamedContender lone_other(lone_bus, "bench.other_", 1, 1);
  const auto time = [](auto& contender) { return [&] { return nanoseconds_each(kEvents, contender); }; };
  const auto series = take_turns(settings.short_rounds(), {time(typed), time(lone_typed), time(named),
                                                           time(lone_named), time(others), time(lone_other)});
  return {compare(kTypedRow, "ns", series[0], "without them", series[1], at_most(1.2)),
          compare(kNamedRow, "ns", series[2], "without them", series[3], at_most(1.2)),
          compare(kInTurnRow, "ns", series[4], "to one type", series[5], std::nullopt)};
}

}  // namespace

void add_breadth_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kByNameRow}, measure_by_name});
  measurements.push_back({{kTypedRow, kNamedRow, kInTurnRow}, measure_breadth});
}

}  // namespace tidings::bench
