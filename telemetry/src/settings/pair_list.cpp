#include "settings/pair_list.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace tidings::telemetry {
namespace {

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2

/// Of the body, which the exporter knows best, and of the connection.
constexpr std::array<std::string_view, 7> kOwnHeaders = {
    "connection", "content-encoding", "content-length", "content-type", "expect",
    "host",       "transfer-encoding"};

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || kTokenMarks.find(c) != std::string_view::npos;
  });
}

bool equals_ignoring_case(std::string_view text, std::string_view lowercase) noexcept {
  return std::equal(text.begin(), text.end(), lowercase.begin(), lowercase.end(), [](char left, char right) {
    return (left >= 'A' && left <= 'Z' ? static_cast<char>(left - 'A' + 'a') : left) == right;
  });
}

std::optional<unsigned> hexadecimal_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::string_view without_blanks(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// False if it is not `name=value`.
bool read_member(std::string_view member, std::size_t place, PairList& into) {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = without_blanks(member.substr(0, equals));
  std::optional<std::string> value = percent_decoded(without_blanks(member.substr(equals + 1)));
  if (name.empty() || !value) return false;
  into.pairs.push_back({std::string(name), std::move(*value), place});
  return true;
}

}  // namespace

PairList parse_pairs(std::string_view text) {
  PairList list;
  for (std::size_t place = 1, begin = 0; begin <= text.size(); ++place) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view member = without_blanks(text.substr(begin, end - begin));
    if (!member.empty() && !read_member(member, place, list)) list.bad_members.push_back(place);
    begin = end + 1;
  }
  return list;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const auto high = hexadecimal_digit(text[i + 1]);
    const auto low = hexadecimal_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    decoded += static_cast<char>(*high << 4U | *low);
    i += 2;
  }
  return decoded;
}

bool is_sendable_header(std::string_view name, std::string_view value) {
  const bool ours = std::any_of(kOwnHeaders.begin(), kOwnHeaders.end(),
                                [&](std::string_view own) { return equals_ignoring_case(name, own); });
  const bool clean = std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7F';
  });
  return is_token(name) && clean && !ours;
}

}  // namespace tidings::telemetry
