#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::simulation {

/// Writes the service's history, line by line, into the pipe that the driver reads: what was written before
/// the process is killed is read. The lines of all threads are in the order in which they were written.
///
/// try N | accepted N EVENT DURABILITY | refused N CODE | doubted N CODE | duplicate N EVENT | undone N
/// run HANDLER N EVENT ATTEMPT | end HANDLER N EVENT ATTEMPT done|failed|gave_up
/// on HANDLER | off HANDLER | life MENDED | reply TEXT
class Scribe {
 public:
  explicit Scribe(int pipe) : pipe_(pipe) {}
  /// Ends the process when the driver is gone.
  void write(std::string line) const;
  void tell(std::string_view what, std::int64_t number, std::string_view more = {}) const;

 private:
  int pipe_;
};

}  // namespace tidings::simulation
