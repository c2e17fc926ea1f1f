#include "deadletter/store_fixture.hpp"
#include "deadletter/transaction_fixture.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace tidings::deadletter {
namespace {

using ::testing::ElementsAre;

class RedriveAfterRestartTest : public DurableBusTest {
 protected:
  [[nodiscard]] auto notes() {
    return [this](const Placed&, const EventContext& context) {
      redrives_.push_back(context.is_redrive());
      if (fails_) throw std::runtime_error("no stock");
    };
  }

  std::vector<bool> redrives_;
  bool fails_ = true;
};

TEST_F(RedriveAfterRestartTest, AHandlerIsToldThatADurableLetterIsRedriven) {
  {
    Bus bus(durable());
    bus.subscribe<Placed>("handler", notes()).keep();
    bus.publish(Placed{1});
    ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  }
  fails_ = false;
  Bus bus(durable());
  bus.subscribe<Placed>("handler", notes()).keep();
  EXPECT_EQ(bus.redrive({}).letters, 1U);
  ASSERT_TRUE(bus.wait_idle(std::chrono::seconds(30)));
  EXPECT_THAT(redrives_, ElementsAre(false, false, false, true));
}

}  // namespace
}  // namespace tidings::deadletter
