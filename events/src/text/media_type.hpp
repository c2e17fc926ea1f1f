#pragma once

#include <string_view>

namespace tidings::detail {

/// `type/subtype; name=value ...` (RFC 2045, section 5.1; parameters as RFC 9110, section 5.6.6, has them).
[[nodiscard]] bool is_media_type(std::string_view text) noexcept;

}  // namespace tidings::detail
