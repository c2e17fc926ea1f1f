#pragma once

#include <tidings/event.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace tidings::detail {

/// All JSON text is read here: nlohmann's own functions take a NUL byte for the end of the text, ignore what
/// stands behind it, and build values of any depth. Throws Error(NotDecodable), without quoting the text,
/// when it is not one JSON value or nests deeper than `max_depth`. The last of duplicate keys wins.
[[nodiscard]] Json parse_json(std::string_view text, std::size_t max_depth = kMaxJsonDepth);
/// The same; objects keep their order.
[[nodiscard]] nlohmann::ordered_json parse_ordered_json(std::string_view text,
                                                        std::size_t max_depth = kMaxJsonDepth);

/// The value that a text stands for where either will do: JSON, or else the text itself is meant (nothing).
[[nodiscard]] std::optional<Json> find_json(std::string_view text);

/// How deeply brackets nest outside of strings: of JSON its depth, of other text at least what a parser gets
/// to see. Cheap.
[[nodiscard]] std::size_t bracket_depth(std::string_view text) noexcept;

/// Whether what is stored nests deeper than kMaxJsonDepth. Data that cannot be decoded for another reason
/// does not.
[[nodiscard]] bool nests_too_deeply(const EncodedData& data);

}  // namespace tidings::detail
