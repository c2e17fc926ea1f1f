#pragma once

#include <string_view>

namespace tidings {

/// The version of tidings that the program is linked with, `0.1.0`. Static.
[[nodiscard]] std::string_view version() noexcept;

}  // namespace tidings
