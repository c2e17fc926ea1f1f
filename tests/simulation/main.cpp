#include "simulation/service.hpp"
#include "simulation/soak.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <string_view>

// The tests of the simulator; as `--soak`, the simulator; or, as `--service DATABASE LIFE`, the service that
// it simulates, which reads steps from descriptor 3 and writes its history to descriptor 4.
int main(int count, char** arguments) {
  if (count == 4 && std::string_view(arguments[1]) == "--service")
    return tidings::simulation::run_service(arguments[2], arguments[3], 3, 4);
  // A service that was killed reads no more steps.
  std::signal(SIGPIPE, SIG_IGN);
  if (count == 2 && std::string_view(arguments[1]) == "--soak") return tidings::simulation::soak() ? 0 : 1;
  testing::InitGoogleMock(&count, arguments);
  return RUN_ALL_TESTS();
}
