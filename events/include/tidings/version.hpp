#pragma once

#include <string_view>

namespace tidings {

/// The version of tidings that the program is linked with, `0.1.0`. Static.
[[nodiscard]] std::string_view version() noexcept;

/// The compiler that tidings was built with, `GCC 12.2.0`. Static.
[[nodiscard]] std::string_view compiler() noexcept;

}  // namespace tidings
