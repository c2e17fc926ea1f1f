#pragma once

#include <memory>
#include <utility>

namespace tidings::test {

/// What a handler captures, and a way to see whether it still does.
struct Captures {
  std::shared_ptr<int> owned = std::make_shared<int>(0);
  std::weak_ptr<int> watched = owned;

  /// To be moved into the handler.
  std::shared_ptr<int> take() { return std::move(owned); }
  [[nodiscard]] bool freed() const { return watched.expired(); }
};

}  // namespace tidings::test
