#include "simulation/soak.hpp"

#include <gtest/gtest.h>

#include <stdlib.h>

namespace tidings::simulation {
namespace {

// Half a minute of the plans that follow from one seed, unless the environment names another: `--soak` is for
// new ones. A failure prints its seed and the plan that is left of it.
TEST(Simulation, OfEverythingAtOnceKeepsWhatIsPromised) {
  ASSERT_EQ(::setenv("TIDINGS_SEED", "1824837308", 0), 0);
  EXPECT_TRUE(soak());
}

}  // namespace
}  // namespace tidings::simulation
