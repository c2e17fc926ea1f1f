#include "text/uri.hpp"

#include <tidings/metadata.hpp>

#include "text/hex.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace tidings {
namespace detail {
namespace {

constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_unreserved_or_delimiter(char c) noexcept {
  return is_letter(c) || is_digit(c) || std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
}

/// Whether all of `text` is unreserved, sub-delims, pct-encoded, or one of `also`.
bool consists_of(std::string_view text, std::string_view also) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return false;
      i += 2;
    } else if (!is_unreserved_or_delimiter(text[i]) && also.find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

bool is_ipv6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr address{};
  return ::inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

/// "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool is_ip_future(std::string_view text) noexcept {
  const std::size_t dot = text.find('.');
  if (text.empty() || (text[0] != 'v' && text[0] != 'V') || dot == std::string_view::npos || dot < 2)
    return false;
  const std::string_view version = text.substr(1, dot - 1);
  const std::string_view rest = text.substr(dot + 1);
  return std::all_of(version.begin(), version.end(), [](char c) { return hex_value(c) >= 0; }) &&
         !rest.empty() && rest.find('%') == std::string_view::npos && consists_of(rest, ":");
}

bool is_host_and_port(std::string_view text) noexcept {
  std::size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || bracket < 2) return false;
    const std::string_view address = text.substr(1, bracket - 1);
    if (!is_ipv6(address) && !is_ip_future(address)) return false;
    host_end = bracket + 1;
    if (host_end < text.size() && text[host_end] != ':') return false;
  } else if (!consists_of(text.substr(0, host_end), "")) {
    return false;
  }
  if (host_end >= text.size()) return true;
  const std::string_view port = text.substr(host_end + 1);
  return std::all_of(port.begin(), port.end(), is_digit);
}

bool is_authority(std::string_view text) noexcept {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return is_host_and_port(text);
  return consists_of(text.substr(0, at), ":") && is_host_and_port(text.substr(at + 1));
}

/// What stands between scheme and query.
bool is_hierarchical_part(std::string_view text) noexcept {
  if (text.starts_with("//")) {
    const std::size_t path = text.find('/', 2);
    if (!is_authority(text.substr(2, path == std::string_view::npos ? path : path - 2))) return false;
    text = path == std::string_view::npos ? std::string_view() : text.substr(path);
  }
  return consists_of(text, "/:@");
}

struct Reference {
  bool has_scheme = false;
  bool has_fragment = false;
  bool valid = false;
};

/// Cuts at the first `separator`: what stands behind it is returned, what stands before stays in `text`.
std::string_view cut_tail(std::string_view& text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {};
  const std::string_view tail = text.substr(at + 1);
  text = text.substr(0, at);
  return tail;
}

Reference examine(std::string_view text) noexcept {
  Reference result;
  result.has_fragment = text.find('#') != std::string_view::npos;
  const std::string_view fragment = cut_tail(text, '#');
  const std::string_view query = cut_tail(text, '?');
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && colon < text.find('/')) {
    result.has_scheme = true;
    if (!is_scheme(text.substr(0, colon))) return result;
    text.remove_prefix(colon + 1);
  }
  result.valid = is_hierarchical_part(text) && consists_of(query, "/:@?") && consists_of(fragment, "/:@?");
  return result;
}

}  // namespace

bool is_absolute_uri(std::string_view text) noexcept {
  const Reference reference = examine(text);
  return reference.valid && reference.has_scheme && !reference.has_fragment;
}

}  // namespace detail

bool is_uri_reference(std::string_view text) noexcept { return !text.empty() && detail::examine(text).valid; }

}  // namespace tidings
