#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

// What including the bus costs a user's own build: processor time of the compiler, optimising as for a
// release.

namespace tidings::bench {

namespace {

const std::string kRow = "compile a file that includes <tidings/bus.hpp>";

std::vector<std::string> command_for(const std::filesystem::path& source) {
  std::vector<std::string> command = {
      TIDINGS_BENCH_COMPILER, "-std=c++20", "-O2", "-c", source, "-o", "/dev/null"};
  std::string folders = TIDINGS_BENCH_INCLUDES;
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = folders.find(':', begin);
    command.push_back("-I" + folders.substr(begin, end - begin));
  }
  return command;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Processor time that a program takes, with the programs that it runs.
double processor_seconds(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  rusage before{};
  getrusage(RUSAGE_CHILDREN, &before);
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    throw std::runtime_error("the compiler failed: " + command[0]);
  }
  rusage after{};
  getrusage(RUSAGE_CHILDREN, &after);
  return seconds_of(after.ru_utime) - seconds_of(before.ru_utime) + seconds_of(after.ru_stime) -
         seconds_of(before.ru_stime);
}

std::filesystem::path write_source(const std::filesystem::path& path, const std::string& header) {
  std::ofstream file(path);
  file << "#include <" << header << ">\n";
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
  return path;
}

std::vector<Row> measure(const Settings& settings) {
  const ScratchFolder folder;
  const auto bus = command_for(write_source(folder.path() / "bus.cpp", "tidings/bus.hpp"));
  const auto json = command_for(write_source(folder.path() / "json.cpp", "nlohmann/json.hpp"));
  const auto series = take_turns(settings.long_rounds(), {[&] { return processor_seconds(bus); },
                                                          [&] { return processor_seconds(json); }});
  return {compare(kRow, "s", series[0], "<nlohmann/json.hpp>", series[1], at_most(1.8))};
}

}  // namespace

void add_compile_time_rows(std::vector<Measurement>& measurements) {
  measurements.push_back({{kRow}, measure});
}

}  // namespace tidings::bench
