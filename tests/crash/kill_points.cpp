#include "crash/kill_points.hpp"

#include <tidings/detail/kill_point.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace tidings::crash {
namespace {

int kill_count = 0;

std::filesystem::path root() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
}

void add_points_of(const std::filesystem::path& file, std::vector<std::string>& names) {
  std::ifstream source(file);
  std::stringstream text;
  text << source.rdbuf();
  const std::string all = text.str();
  const std::string call = "kill_point(\"";
  for (auto at = all.find(call); at != std::string::npos; at = all.find(call, at)) {
    at += call.size();
    names.push_back(all.substr(at, all.find('"', at) - at));
  }
}

}  // namespace

std::vector<std::string> all_points() {
  std::vector<std::string> names;
  for (const char* module : {"bus", "deadletter"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root() / module / "src"))
      add_points_of(entry.path(), names);
  }
  add_points_of(root() / "tests/crash/shop.cpp", names);
  return names;
}

bool is_of_storage(const std::string& point) {
  return point.starts_with("spill.") || point.starts_with("import.") || point.starts_with("migrate.");
}

bool is_of_restore(const std::string& point) { return point.starts_with("restore."); }

bool is_killed(const Kill& kill, const std::function<void()>& life) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      if (!kill.point.empty()) detail::arm_kill_point(kill.point, kill.nth);
      life();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::cerr << "the process failed: " << error.what() << std::endl;
      ::_exit(1);
    }
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) throw std::runtime_error("fork failed");
  const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!was_killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
    throw std::runtime_error("the process ended with status " + std::to_string(status));
  }
  kill_count += was_killed ? 1 : 0;
  return was_killed;
}

int kills() noexcept { return kill_count; }

}  // namespace tidings::crash
