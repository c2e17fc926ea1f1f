#pragma once

#include <tidings/context_fields.hpp>

#include <string>
#include <string_view>

// For tidings' own modules; may change in any version.
namespace tidings::detail {

/// One JSON object: `{"tenant":"acme","user_id":42}`.
[[nodiscard]] std::string context_to_json(const ContextFields& fields);
/// The reverse. Throws Error(NotDecodable) for anything but an object of scalars other than null. Names and
/// sizes are not checked.
[[nodiscard]] ContextFields context_from_json(std::string_view text);
[[nodiscard]] ContextFields context_of_json(const Json& json);

}  // namespace tidings::detail
