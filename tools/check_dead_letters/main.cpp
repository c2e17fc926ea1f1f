#include "check_dead_letters/program.hpp"
#include "check_dead_letters/standard_output.hpp"
#include "check_dead_letters/state.hpp"

#include <tidings/clock.hpp>

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace tidings::check_dead_letters;
  secure_standard_streams();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const char* const databases =
      std::getenv("TIDINGS_DB");  // NOLINT(concurrency-mt-unsafe): there is one thread
  const Result result = run(arguments, databases, *tidings::system_clock());
  if (result.output.empty()) return result.exit_status;
  if (const auto problem = write_and_close(STDOUT_FILENO, result.output, result.deadline)) {
    std::fprintf(stderr, "check-dead-letters: could not write to standard output: %s\n", problem->c_str());
    return static_cast<int>(State::Unknown);
  }
  return result.exit_status;
}
