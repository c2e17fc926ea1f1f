#include "simulation/service.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <string_view>

// The tests, or, as `--service DATABASE LIFE`, the service that they simulate: it reads steps from descriptor
// 3 and writes its history to descriptor 4.
int main(int count, char** arguments) {
  if (count == 4 && std::string_view(arguments[1]) == "--service")
    return tidings::simulation::run_service(arguments[2], arguments[3], 3, 4);
  // A service that was killed reads no more steps.
  std::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleMock(&count, arguments);
  return RUN_ALL_TESTS();
}
