#include <tidings/telemetry/metrics_text.hpp>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace tidings::telemetry {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What is before the next `separator`, which is taken off with it.
std::string_view next_part(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view part = trimmed(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

bool is_same(std::string_view one, std::string_view other) noexcept {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// A weight in thousandths: `1`, `0.5`. What is none is 0: nobody is given what they may not have meant.
int weight_of(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  if (text.size() > 1 && text[1] != '.') return 0;
  int weight = text[0] == '1' ? 1'000 : 0;
  int worth = 100;
  for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return 0;
    weight += (digit - '0') * worth;
    worth /= 10;
  }
  return std::min(weight, 1'000);
}

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

/// One media range of an Accept header.
struct Range {
  std::string_view type;
  std::string_view version = {};
  int weight = 1'000;
};

Range range_of(std::string_view text) {
  Range range{next_part(text, ';')};
  while (!text.empty()) {
    std::string_view value = next_part(text, ';');
    const std::string_view name = next_part(value, '=');
    if (is_same(name, "q")) range.weight = weight_of(trimmed(value));
    if (is_same(name, "version")) range.version = unquoted(trimmed(value));
  }
  return range;
}

}  // namespace

MetricsFormat metrics_format_for(std::string_view accept) noexcept {
  int open = 0;
  int text = 0;
  while (!accept.empty()) {
    const Range range = range_of(next_part(accept, ','));
    const bool known_version = range.version.empty() || range.version == "1.0.0";
    if (is_same(range.type, "application/openmetrics-text")) {
      if (known_version) open = std::max(open, range.weight);
    } else if (is_same(range.type, "text/plain")) {
      if (range.version.empty() || range.version == "0.0.4") text = std::max(text, range.weight);
    }
  }
  return open > 0 && open >= text ? MetricsFormat::OpenMetrics : MetricsFormat::PrometheusText;
}

}  // namespace tidings::telemetry
