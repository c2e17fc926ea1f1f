#pragma once

#include <optional>
#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// RFC 4648, section 4: the standard alphabet, padded.
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Strict: returns nullopt for a character outside the alphabet, missing or misplaced padding, or stray bits
/// before the padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace tidings::detail
