#include "check_dead_letters/standard_output.hpp"
#include "dead_letters/program.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>
#include <system_error>

int main(int argc, char** argv) try {
  using namespace tidings::dead_letters;
  tidings::check_dead_letters::secure_standard_streams();
  // Which characters are wide: whatever the user's language, what the database holds is UTF-8.
  std::setlocale(LC_CTYPE, "C.UTF-8");  // NOLINT(concurrency-mt-unsafe): there is one thread
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bool colour = std::find(arguments.begin(), arguments.end(), "--no-color") == arguments.end();
  const char* database = std::getenv("TIDINGS_DB");  // NOLINT(concurrency-mt-unsafe): there is one thread
  std::cin.tie(nullptr);
  const Streams streams{std::cin,
                        std::cout,
                        std::cerr,
                        ::isatty(STDIN_FILENO) != 0,
                        Terminal::of(STDOUT_FILENO, colour),
                        Terminal::of(STDERR_FILENO, colour)};
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const ExitStatus status = run(arguments, database, streams, now);
  std::cout.flush();
  if (std::cout.good()) return static_cast<int>(status);
  // Streams do not keep the reason of a failure, so it is provoked once more.
  const bool works_now = ::write(STDOUT_FILENO, "\n", 1) == 1;
  // A reader that has read enough, such as head, is not an error.
  if (works_now || errno != EPIPE) {
    std::fprintf(stderr, "dead-letters: could not write to standard output: %s\n",
                 works_now ? "it was full" : std::generic_category().message(errno).c_str());
  }
  return static_cast<int>(ExitStatus::InputOutput);
} catch (const std::bad_alloc&) {
  static_cast<void>(std::fputs("dead-letters: there is not enough memory\n", stderr));
  return static_cast<int>(tidings::dead_letters::ExitStatus::TryAgain);
}
