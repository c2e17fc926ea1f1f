#include <tidings/ids.hpp>

#include <algorithm>

namespace tidings {
namespace {

constexpr bool is_visible_ascii(char c) noexcept { return c >= '!' && c <= '~'; }

/// The id in binary, if its text is what the binary form would be printed as.
std::optional<EventId> parse_canonical_uuid(std::string_view text) noexcept {
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; })) return std::nullopt;
  const auto id = EventId::parse(text);
  // The nil UUID in binary means "not set"; as text from outside it is an id like any other.
  return id && !id->is_nil() ? id : std::nullopt;
}

}  // namespace

std::optional<CorrelationId> CorrelationId::parse(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxLength) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), is_visible_ascii)) return std::nullopt;
  if (const auto uuid = parse_canonical_uuid(text)) return CorrelationId(*uuid);
  CorrelationId id;
  id.length_ = static_cast<std::uint8_t>(text.size());
  std::memcpy(id.bytes_, text.data(), text.size());
  return id;
}

bool CorrelationId::empty() const noexcept {
  return length_ == 0 && std::all_of(bytes_, bytes_ + kBinaryLength, [](char c) { return c == 0; });
}

std::string CorrelationId::to_string() const {
  if (length_ != 0) return std::string(bytes_, length_);
  return empty() ? std::string() : uuid()->to_string();
}

}  // namespace tidings
