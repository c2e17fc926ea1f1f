#pragma once

#include <tidings/error.hpp>

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

namespace tidings::deadletter {

/// The process in which it was made: SQLite forbids a forked child to use what its parent opened, and even to
/// close it.
class OpeningProcess {
 public:
  [[nodiscard]] pid_t id() const noexcept { return id_; }
  [[nodiscard]] bool is_this() const noexcept { return ::getpid() == id_; }
  /// `what` was opened there. Throws Error(ForkedChild).
  void require_this(const std::string& what) const {
    if (is_this()) return;
    throw Error(ErrorCode::ForkedChild, "this " + what +
                                            " was opened by the parent process; a forked child must open one "
                                            "of its own");
  }

 private:
  pid_t id_ = ::getpid();
};

/// Deletes what it owns in the process that made it, and leaks it in a forked child.
struct DeleteInOpeningProcess {
  template <class Opened>
  void operator()(Opened* opened) const {
    if (process.is_this()) delete opened;
  }
  OpeningProcess process = {};
};
template <class T>
using Opened = std::unique_ptr<T, DeleteInOpeningProcess>;

template <class T, class... Arguments>
[[nodiscard]] Opened<T> make_opened(Arguments&&... arguments) {
  return Opened<T>(new T(std::forward<Arguments>(arguments)...));
}

}  // namespace tidings::deadletter
