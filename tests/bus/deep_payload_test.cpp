#include "durable_fixture.hpp"

namespace tidings::test {
namespace {

/// As JSON, it nests as deeply as it says.
struct Nested {
  static constexpr std::string_view event_type = "lab.nested";
  std::size_t depth = 0;
};
void to_json(Json& json, const Nested& event) {
  json = 1;
  for (std::size_t level = 0; level < event.depth; ++level) json = Json::array({std::move(json)});
}
void from_json(const Json& json, Nested& event) { event.depth = json_depth(json); }

class DeepPayloadTest : public DurableTest {};

TEST_F(DeepPayloadTest, OfADurablePublishIsRefusedAndDeliversNothing) {
  Bus bus(durable());
  int runs = 0;
  auto handler = bus.subscribe<Nested>("handler", [&](const Nested&) { ++runs; });
  for (const std::size_t depth : {kMaxJsonDepth + 1, std::size_t{100'000}}) {
    EXPECT_EQ(error_code_of([&] { bus.publish(Nested{depth}); }), ErrorCode::NotEncodable);
  }
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(journal_->commits(), 0U);
  EXPECT_EQ(bus.publish(Nested{kMaxJsonDepth}).handled, 1U);
}

TEST_F(DeepPayloadTest, PublishedByTypeNameIsRefused) {
  Bus bus(options());
  Json deep;
  to_json(deep, Nested{100'000});
  EXPECT_EQ(error_code_of([&] { bus.publish("lab.nested", deep); }), ErrorCode::InvalidArgument);
}

TEST_F(DeepPayloadTest, OfAStructIsDeliveredAndItsLetterKeepsTheReasonInItsPlace) {
  Bus bus(options());
  auto queued = bus.subscribe<Nested>("queued", [](const Nested&) { throw Permanent("no"); },
                                      {.dispatch = Dispatch::Queued});
  bus.publish(Nested{100'000});
  bus.publish(Nested{kMaxJsonDepth});
  EXPECT_TRUE(bus.wait_idle(kLong));
  ASSERT_EQ(letters_->letters().size(), 2U);
  EXPECT_EQ(letters_->letters()[0].data.encoding, DataEncoding::None);
  EXPECT_EQ(letters_->letters()[0].data.problem, "the event nests deeper than 1000 levels");
  EXPECT_EQ(letters_->letters()[1].data.encoding, DataEncoding::Json);
}

}  // namespace
}  // namespace tidings::test
