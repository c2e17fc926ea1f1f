#pragma once

#include <tidings/event.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace tidings::detail {

/// All JSON text is parsed here: nlohmann's own functions take a NUL byte for the end of the text, ignore
/// what follows it, and build values of any depth. Throws Error(NotDecodable), without quoting the text, when
/// it is not one JSON value or nests deeper than `max_depth`. The last of duplicate keys wins.
[[nodiscard]] Json parse_json(std::string_view text, std::size_t max_depth = kMaxJsonDepth);
/// The same; objects keep their order.
[[nodiscard]] nlohmann::ordered_json parse_ordered_json(std::string_view text,
                                                        std::size_t max_depth = kMaxJsonDepth);

/// The value that `text` spells in JSON, for places that accept JSON or plain text. Returns nullopt if it is
/// not JSON: then the text itself is the value.
[[nodiscard]] std::optional<Json> find_json(std::string_view text);

/// How deeply brackets nest outside of strings. For JSON this is its depth; for other text it is at least the
/// depth that a parser reaches. Cheap.
[[nodiscard]] std::size_t bracket_depth(std::string_view text) noexcept;

/// Whether stored data nests deeper than kMaxJsonDepth. False for data that cannot be decoded for another
/// reason.
[[nodiscard]] bool nests_too_deeply(const EncodedData& data);

}  // namespace tidings::detail
