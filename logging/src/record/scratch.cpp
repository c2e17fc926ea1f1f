#include "record/scratch.hpp"

#include <cstddef>
#include <utility>

namespace tidings::logging {

namespace {

constexpr std::size_t kKeptCapacity = 256 * 1024;  // one huge record must not cost its size for ever

thread_local constinit Scratch* idle_scratch = nullptr;
thread_local constinit bool thread_ends = false;

// Frees what the thread kept. The two variables above are trivial and so outlive it: other thread_local
// objects may still log in their destructors.
struct Reaper {
  ~Reaper() {
    thread_ends = true;
    delete std::exchange(idle_scratch, nullptr);
  }
  void arm() noexcept {}
};

thread_local Reaper reaper;

}  // namespace

ScratchLease::ScratchLease() : scratch_(std::exchange(idle_scratch, nullptr)) {
  if (scratch_ == nullptr) scratch_ = new Scratch;
}

ScratchLease::~ScratchLease() {
  scratch_->builder.clear();
  scratch_->lines.clear();
  const std::size_t capacity = scratch_->lines.json.text.capacity() + scratch_->lines.console.text.capacity();
  if (thread_ends || idle_scratch != nullptr || capacity > kKeptCapacity) {
    delete scratch_;
    return;
  }
  reaper.arm();
  idle_scratch = scratch_;
}

}  // namespace tidings::logging
