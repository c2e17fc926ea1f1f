#pragma once

#include <tidings/deadletter/operations.hpp>

namespace tidings::dead_letters {

/// Who runs this program: the user's name, and in brackets whom sudo made them (`ann(orders)`), and the host.
[[nodiscard]] deadletter::Actor current_operator();

}  // namespace tidings::dead_letters
