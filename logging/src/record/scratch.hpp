#pragma once

#include "record/record_builder.hpp"

#include <string>

namespace tidings::logging {

/// The buffers one record is built in. Kept per thread, so that logging does not allocate.
struct Scratch {
  detail::RecordBuilder builder;
  std::string line;
};

/// Borrows the calling thread's buffers. While they are on loan (a lazy field that logs), and when the thread
/// is past its end, makes new ones.
class ScratchLease {
 public:
  ScratchLease();
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  ~ScratchLease();

  [[nodiscard]] Scratch& operator*() const noexcept { return *scratch_; }
  [[nodiscard]] Scratch* operator->() const noexcept { return scratch_; }

 private:
  Scratch* scratch_;
};

}  // namespace tidings::logging
