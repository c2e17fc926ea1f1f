#include "file/boot_clock.hpp"

#include <ctime>
#include <fstream>

namespace tidings::deadletter {
namespace {

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace

const std::string& boot_id() {
  static const std::string& id = *new std::string(read_boot_id());  // a bus may end after other statics
  return id;
}

std::int64_t boot_time_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace tidings::deadletter
