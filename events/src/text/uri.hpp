#pragma once

#include <string_view>

namespace tidings::detail {

/// RFC 3986, section 4.3: `scheme:...` without a fragment.
[[nodiscard]] bool is_absolute_uri(std::string_view text) noexcept;

}  // namespace tidings::detail
