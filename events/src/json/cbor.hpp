#pragma once

#include <tidings/event.hpp>

#include <string>
#include <string_view>

namespace tidings::detail {

/// RFC 8949 with definite lengths, integers in their shortest form and doubles in eight bytes, so that every
/// bit of every value survives. Strings are text strings also where they are not valid UTF-8: what must be
/// kept is what was there. A nlohmann binary with a subtype is a byte string tagged with it, as nlohmann
/// writes it. Holds no discarded value.
[[nodiscard]] std::string write_cbor(const Json& value);

/// Throws Error(NotDecodable), naming the byte, on anything that is not one item of the above (half and
/// single floats are read too) or nests deeper than `max_depth`. Takes memory in proportion to `bytes`,
/// whatever they claim.
[[nodiscard]] Json read_cbor(std::string_view bytes, std::size_t max_depth);

}  // namespace tidings::detail
