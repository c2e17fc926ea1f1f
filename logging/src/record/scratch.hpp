#pragma once

#include "record/record_builder.hpp"

#include <string>

namespace tidings::logging {

struct Rendering;

/// The lines of one record so far, each with its LF. Whoever renders one says for which Rendering.
struct RenderedLines {
  struct Line {
    std::string text;
    const Rendering* rendered = nullptr;  // null: not yet
  };

  Line json;
  Line console;

  void clear() noexcept { json.rendered = console.rendered = nullptr; }
};

/// The buffers one record is built in. Kept per thread, so that logging does not allocate.
struct Scratch {
  detail::RecordBuilder builder;
  RenderedLines lines;
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
