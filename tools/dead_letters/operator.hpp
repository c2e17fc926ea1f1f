#pragma once

#include <tidings/deadletter/operations.hpp>

namespace tidings::dead_letters {

/// The operator of this program: the user's name, in brackets the user that sudo changed to (`ann(orders)`),
/// and the host.
[[nodiscard]] deadletter::Actor current_operator();

}  // namespace tidings::dead_letters
