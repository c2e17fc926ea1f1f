#include <tidings/trace_context.hpp>

#include "hex.hpp"

#include <algorithm>
#include <cstddef>

namespace tidings {
namespace {

// VERSION-TRACEID-PARENTID-FLAGS
constexpr std::size_t kLength = 55;
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kParentIdAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kMaxTracestateLength = 512;

bool has_dashes(std::string_view text) noexcept {
  return text[kTraceIdAt - 1] == '-' && text[kParentIdAt - 1] == '-' && text[kFlagsAt - 1] == '-';
}

bool is_version_acceptable(std::string_view text) noexcept {
  std::uint8_t version = 0;
  if (!detail::read_lowercase_hex(text.data(), &version, 1) || version == 0xff) return false;
  if (text.size() == kLength) return true;
  return version != 0 && text[kLength] == '-';
}

template <std::size_t N>
bool is_zero(const std::array<std::uint8_t, N>& id) noexcept {
  return id == std::array<std::uint8_t, N>{};
}

template <std::size_t N>
std::string to_hex(const std::array<std::uint8_t, N>& bytes) {
  std::string text(2 * N, '\0');
  detail::write_hex(bytes.data(), N, text.data());
  return text;
}

}  // namespace

std::optional<TraceParent> TraceParent::parse(std::string_view text) noexcept {
  if (text.size() < kLength || !has_dashes(text) || !is_version_acceptable(text)) return std::nullopt;
  TraceParent result;
  const bool is_hex = detail::read_lowercase_hex(&text[kTraceIdAt], result.trace_id.data(), 16) &&
                      detail::read_lowercase_hex(&text[kParentIdAt], result.parent_id.data(), 8) &&
                      detail::read_lowercase_hex(&text[kFlagsAt], &result.flags, 1);
  if (!is_hex || is_zero(result.trace_id) || is_zero(result.parent_id)) return std::nullopt;
  return result;
}

std::string TraceParent::to_string() const {
  std::string text = "00-" + trace_id_text() + "-" + parent_id_text() + "-00";
  detail::write_hex(&flags, 1, &text[kFlagsAt]);
  return text;
}

std::string TraceParent::trace_id_text() const { return to_hex(trace_id); }
std::string TraceParent::parent_id_text() const { return to_hex(parent_id); }

bool is_valid_tracestate(std::string_view text) noexcept {
  return text.size() <= kMaxTracestateLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace tidings
