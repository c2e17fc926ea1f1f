#pragma once

#include <tidings/event.hpp>

#include <vector>

namespace tidings::detail {

/// Visits a value and all it holds, depth first, in order, with a stack on the heap: a walk goes as deep as
/// the value does. The visitor has
///   bool open(const Json& container), void close(const Json& container)
///   void element(bool first), void key(const std::string& name, bool first)   before each child
///   bool scalar(const Json& value)
/// A false ends the walk, which then returns false.
template <class Visitor>
bool walk_json(const Json& root, Visitor& visitor) {
  struct Level {
    const Json* container;
    Json::const_iterator next;
  };
  std::vector<Level> path;
  const Json* value = &root;
  for (;;) {
    if (value->is_structured()) {
      if (!visitor.open(*value)) return false;
      path.push_back({value, value->cbegin()});
    } else if (!visitor.scalar(*value)) {
      return false;
    }
    while (!path.empty() && path.back().next == path.back().container->cend()) {
      visitor.close(*path.back().container);
      path.pop_back();
    }
    if (path.empty()) return true;
    Level& level = path.back();
    const bool first = level.next == level.container->cbegin();
    if (level.container->is_object()) {
      visitor.key(level.next.key(), first);
    } else {
      visitor.element(first);
    }
    value = &*level.next;
    ++level.next;
  }
}

}  // namespace tidings::detail
