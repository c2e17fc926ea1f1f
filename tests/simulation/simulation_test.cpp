#include "simulation/soak.hpp"

#include <gtest/gtest.h>

namespace tidings::simulation {
namespace {

// Half a minute of plans at random; a failure prints its seed and the plan that is left of it.
TEST(Simulation, OfEverythingAtOnceKeepsWhatIsPromised) { EXPECT_TRUE(soak()); }

}  // namespace
}  // namespace tidings::simulation
