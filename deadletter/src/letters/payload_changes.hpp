#pragma once

#include <tidings/event.hpp>

#include <cstdint>

namespace tidings::deadletter {

/// What the audit may say of payloads.
enum class ShownValues : std::uint8_t {
  Masked,  ///< Values as default_redactor() leaves them, and cut if they are long.
  None,    ///< Places alone: the type is stored encrypted.
};

/// What differs between two payloads: an array of objects with `path` (a JSON pointer), `before` and `after`,
/// of which one that is not there is left out. In the order of the paths; of more than 100 the rest is
/// counted in a last object, `more`. Objects and arrays are compared by their members. Throws std::bad_alloc.
[[nodiscard]] Json describe_changes(const Json& before, const Json& after, ShownValues values);

/// The paths of such an array.
[[nodiscard]] Json paths_of(const Json& changes);

}  // namespace tidings::deadletter
