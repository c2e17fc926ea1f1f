#pragma once

#include <unistd.h>

#include <fstream>

namespace tidings::bench {

/// The main memory that this process has, in MiB.
[[nodiscard]] inline double resident_mebibytes() {
  constexpr double kMebibyte = 1024.0 * 1024.0;
  std::ifstream statm("/proc/self/statm");
  double all = 0;
  double resident = 0;
  statm >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / kMebibyte;
}

}  // namespace tidings::bench
