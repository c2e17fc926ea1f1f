#pragma once

#include "destinations/line_target.hpp"

#include <string>
#include <string_view>

namespace tidings::logging {

/// Writes lines to file descriptors so that none is there in part, as far as that can be had. Not
/// thread-safe.
class LineWriter {
 public:
  /// `may_be_cut` says that a file that was opened may end within a line.
  explicit LineWriter(bool may_be_cut = false) noexcept : cut_(may_be_cut) {}

  [[nodiscard]] WrittenLines write(int descriptor, std::string_view lines) noexcept;

 private:
  bool cut_;  // the destination ends within a line, which is to be ended first
};

/// Standard output or standard error.
class StreamTarget final : public LineTarget {
 public:
  explicit StreamTarget(int descriptor) noexcept : descriptor_(descriptor) {}
  [[nodiscard]] WrittenLines write(std::string_view lines) noexcept override {
    return writer_.write(descriptor_, lines);
  }
  [[nodiscard]] bool is_terminal() const noexcept override;
  [[nodiscard]] std::string destination() const override;

 private:
  int descriptor_;
  LineWriter writer_;
};

}  // namespace tidings::logging
