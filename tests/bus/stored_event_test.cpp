#include <gtest/gtest.h>
#include <malloc.h>
#include <tidings/bus.hpp>

#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// What a queue keeps of an event, and where.

namespace tidings::detail {
namespace {

constexpr std::string_view kBusSource = "orders";

Metadata usual_metadata() {
  Metadata metadata;
  metadata.event_id = EventId::parse("0192a5c0-7f3e-7c4d-9a1b-000000000001").value();
  metadata.correlation_id = CorrelationId(metadata.event_id);
  metadata.published_at = Timestamp(std::chrono::microseconds(1'700'000'000'123'456));
  metadata.source = std::string(kBusSource);
  return metadata;
}

/// Each with something that most events do not have.
std::vector<Metadata> unusual_metadata() {
  std::vector<Metadata> all(9, usual_metadata());
  all[0].correlation_id = CorrelationId::parse("request-7").value();
  all[1].correlation_id = CorrelationId();
  all[2].correlation_id = CorrelationId::parse("00000000-0000-0000-0000-000000000000").value();
  all[3].causation_id = EventId::parse("0192a5c0-7f3e-7c4d-9a1b-000000000002");
  all[3].causation_depth = 7;
  all[4].causation_id = EventId();
  all[5].traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  all[6].tracestate = std::string("vendor=value");
  all[7].source = std::string("billing");
  all[8].fields = {{"tenant", "t1"}, {"user", "u2"}};
  return all;
}

TEST(KeptMetadata, AreAsTheyWereGiven) {
  std::vector<Metadata> all = unusual_metadata();
  all.push_back(usual_metadata());
  all.push_back(Metadata());
  for (std::size_t index = 0; index < all.size(); ++index) {
    const KeptMetadata kept(all[index], kBusSource);
    Metadata buffer;
    EXPECT_EQ(kept.read(kBusSource, buffer), all[index]) << "case " << index;
  }
}

TEST(KeptMetadata, DoNotReferToWhatTheyWereMadeFrom) {
  for (const Metadata& expected : unusual_metadata()) {
    auto original = std::make_unique<Metadata>(expected);
    const std::string tracestate = "gone=soon", source = "gone";
    original->tracestate = Text::borrow(tracestate);
    original->source = Text::borrow(source);
    const KeptMetadata kept(*original, kBusSource);
    original.reset();
    Metadata buffer;
    EXPECT_EQ(kept.read(kBusSource, buffer).tracestate.view(), "gone=soon");
    EXPECT_NE(kept.read(kBusSource, buffer).tracestate.view().data(), tracestate.data());
    EXPECT_NE(kept.read(kBusSource, buffer).source.view().data(), source.data());
  }
}

template <std::size_t Size>
struct Sized {
  static constexpr std::string_view event_type = "sized";
  std::uint64_t number = 0;
  char rest[Size] = {};
};
template <std::size_t Size>
void to_json(Json& json, const Sized<Size>& event) {
  json = event.number;
}
template <std::size_t Size>
void from_json(const Json& json, Sized<Size>& event) {
  event.number = json.get<std::uint64_t>();
}

template <std::size_t Size>
EventPointer stored(std::uint64_t number) {
  const Sized<Size> event{number, {}};
  const Payload payload{&event, &kPayloadType<Sized<Size>>, "sized", 1};
  return EventPointer(payload.type->copy(payload, KeptMetadata(usual_metadata(), kBusSource)));
}

template <std::size_t Size>
std::uint64_t number_of(const EventPointer& event) {
  return static_cast<const Sized<Size>*>(event->payload().object)->number;
}

std::vector<EventPointer> burst(std::uint64_t count) {
  std::vector<EventPointer> events;
  events.reserve(3 * count);
  for (std::uint64_t number = 0; number < count; ++number) {
    events.push_back(stored<8>(number));
    events.push_back(stored<150>(number));
    events.push_back(stored<2000>(number));
  }
  return events;
}

/// Checks that nobody else has written to them, and frees them.
bool are_whole(std::vector<EventPointer> events) {
  bool whole = true;
  for (std::size_t index = 0; index < events.size(); index += 3) {
    const std::uint64_t number = index / 3;
    whole = whole && number_of<8>(events[index]) == number && number_of<150>(events[index + 1]) == number &&
            number_of<2000>(events[index + 2]) == number;
  }
  return whole;
}

TEST(EventMemory, HoldsEachEventUntilItsLastUseAsBlocksGoFromThreadToThread) {
  constexpr std::uint64_t kEvents = 300;  // several magazines
  const auto pass_on = [] {
    bool whole = true;
    for (int round = 0; round < 5; ++round) {
      auto events = std::async(std::launch::async, [] { return burst(kEvents); }).get();
      whole = are_whole(std::move(events)) && whole;
    }
    return whole;
  };
  std::vector<std::future<bool>> pairs;
  for (int pair = 0; pair < 3; ++pair) pairs.push_back(std::async(std::launch::async, pass_on));
  for (auto& pair : pairs) EXPECT_TRUE(pair.get());
}

TEST(EventMemory, KeepsNoMoreThanItSays) {
  constexpr std::uint64_t kEvents = 250'000;            // some 40 MB
  constexpr std::size_t kMost = std::size_t{20} << 20;  // 16 MiB, and what malloc adds to each block
  const std::size_t before = mallinfo2().uordblks;
  std::vector<EventPointer> events;
  events.reserve(kEvents);
  for (std::uint64_t number = 0; number < kEvents; ++number) events.push_back(stored<40>(number));
  std::thread([&] { events = std::vector<EventPointer>(); }).join();
  EXPECT_LT(mallinfo2().uordblks, before + kMost);
}

}  // namespace
}  // namespace tidings::detail
