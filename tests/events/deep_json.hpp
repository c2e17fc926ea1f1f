#pragma once

#include <tidings/event.hpp>

#include <cstddef>
#include <utility>

namespace tidings {

/// `core` inside `depth` arrays and objects by turns.
inline Json nested(std::size_t depth, Json core = 42) {
  for (std::size_t i = 0; i < depth; ++i) {
    Json outer = i % 2 == 0 ? Json::array() : Json::object();
    if (i % 2 == 0) {
      outer.push_back(std::move(core));
    } else {
      outer["inner"] = std::move(core);
    }
    core = std::move(outer);
  }
  return core;
}

/// What is inside `depth` arrays and objects.
inline const Json& innermost(const Json& value, std::size_t depth) {
  const Json* current = &value;
  for (; depth > 0; --depth) current = &*current->begin();
  return *current;
}

}  // namespace tidings
