#include <tidings/trace_context.hpp>

#include "text/hex.hpp"
#include "text/trimmed.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tidings {
namespace {

// VERSION-TRACEID-PARENTID-FLAGS
constexpr std::size_t kLength = 55;
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kParentIdAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kMaxTracestateLength = 512;
constexpr std::size_t kLongMember = 128;
/// `sampled`. Others are reserved, and must be passed on as zero (section 3.2.2.5.1).
constexpr std::uint8_t kKnownFlags = 0x01;

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
  result.flags &= kKnownFlags;
  return result;
}

std::string TraceParent::to_string() const {
  std::string text = "00-" + trace_id_text() + "-" + parent_id_text() + "-00";
  const auto known = static_cast<std::uint8_t>(flags & kKnownFlags);
  detail::write_hex(&known, 1, &text[kFlagsAt]);
  return text;
}

namespace {

template <class Id>
std::optional<Id> parse_hex_id(std::string_view text) noexcept {
  Id result;
  const bool is_hex = text.size() == 2 * result.bytes.size() &&
                      detail::read_lowercase_hex(text.data(), result.bytes.data(), result.bytes.size());
  if (!is_hex || is_zero(result.bytes)) return std::nullopt;
  return result;
}

}  // namespace

std::optional<TraceId> TraceId::parse(std::string_view text) noexcept { return parse_hex_id<TraceId>(text); }
std::string TraceId::to_string() const { return to_hex(bytes); }

std::optional<SpanId> SpanId::parse(std::string_view text) noexcept { return parse_hex_id<SpanId>(text); }
std::string SpanId::to_string() const { return to_hex(bytes); }

std::string TraceParent::trace_id_text() const { return to_hex(trace_id); }
std::string TraceParent::parent_id_text() const { return to_hex(parent_id); }

namespace {

std::size_t length_of(const std::vector<std::string_view>& members) noexcept {
  std::size_t length = members.empty() ? 0 : members.size() - 1;  // the commas
  for (const std::string_view member : members) length += member.size();
  return length;
}

/// Section 3.3.1.5: members of more than 128 characters go first, then those at the end.
void shorten(std::vector<std::string_view>& members) {
  const auto is_long = [](std::string_view member) { return member.size() > kLongMember; };
  while (length_of(members) > kMaxTracestateLength) {
    const auto last_long = std::find_if(members.rbegin(), members.rend(), is_long);
    members.erase(last_long == members.rend() ? members.end() - 1 : last_long.base() - 1);
  }
}

}  // namespace

std::string limited_tracestate(std::string_view text) {
  std::vector<std::string_view> members;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const auto member = detail::trimmed(text.substr(0, comma)); !member.empty())
      members.push_back(member);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  shorten(members);
  std::string joined;
  for (const std::string_view member : members) {
    if (!joined.empty()) joined += ',';
    joined += member;
  }
  return is_valid_tracestate(joined) ? joined : std::string();
}

bool is_valid_tracestate(std::string_view text) noexcept {
  return text.size() <= kMaxTracestateLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace tidings
