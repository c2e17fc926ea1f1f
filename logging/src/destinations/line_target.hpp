#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::logging {

/// What became of lines that were written.
struct WrittenLines {
  std::uint64_t lost = 0;  // whole lines that are not at the destination
  int error = 0;           // the errno that says why; 0: nothing was lost
};

/// A destination of lines. Not thread-safe.
class LineTarget {
 public:
  LineTarget() = default;
  LineTarget(const LineTarget&) = delete;
  LineTarget& operator=(const LineTarget&) = delete;
  virtual ~LineTarget() = default;

  /// `lines` is one line or several, each with its LF. Throws nothing.
  [[nodiscard]] virtual WrittenLines write(std::string_view lines) noexcept = 0;
  [[nodiscard]] virtual bool is_terminal() const noexcept { return false; }
  /// RecordSink::destination.
  [[nodiscard]] virtual std::string destination() const = 0;
};

}  // namespace tidings::logging
