#pragma once

#include <tidings/event.hpp>

#include <cstddef>

namespace tidings::detail {

/// What decides how a value can be written.
struct JsonTraits {
  /// How deeply arrays and objects nest.
  std::size_t depth = 0;
  /// Invalid UTF-8, in a string or key.
  bool has_invalid_text = false;
  /// NaN or an infinity.
  bool has_non_finite = false;
  /// A nlohmann binary value.
  bool has_binary = false;
  /// Json::value_t::discarded, which stands for nothing.
  bool has_discarded = false;

  [[nodiscard]] bool fits_json() const noexcept {
    return !has_invalid_text && !has_non_finite && !has_binary && !has_discarded;
  }
};

[[nodiscard]] JsonTraits examine_json(const Json& value);

}  // namespace tidings::detail
