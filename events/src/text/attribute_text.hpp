#pragma once

#include <string_view>

namespace tidings::detail {

/// Whether `text` is a String of the CloudEvents 1.0 type system: UTF-8 without control characters (U+0000 to
/// U+001F, U+007F to U+009F) and Unicode noncharacters.
[[nodiscard]] bool is_attribute_text(std::string_view text) noexcept;

/// The extension attribute with the context fields that no extension attribute of their own can carry: a JSON
/// object as text.
inline constexpr std::string_view kFieldsExtension = "contextfields";

/// The extension attribute with the id that tidings gave to an event whose `id` is a foreign one.
inline constexpr std::string_view kOwnIdExtension = "tidingsid";

/// Whether `name` may name a CloudEvents attribute: one or more of [a-z0-9].
[[nodiscard]] bool is_attribute_name(std::string_view name) noexcept;

}  // namespace tidings::detail
