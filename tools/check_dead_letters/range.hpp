#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidings::check_dead_letters {

/// A threshold range of the Monitoring Plugins guidelines, `[@][start:][end]`: alerts outside start..end, or
/// with `@` inside; both ends belong to the range. `10` is 0..10, `10:` is 10 and more, `~:10` is 10 and
/// less. https://www.monitoring-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
class Range {
 public:
  /// 0..end.
  explicit Range(double end) : end_(end) {}

  /// Bounds are decimal numbers: `10`, `-5`, `0.5`. Returns nullopt if malformed, or if start is greater than
  /// end.
  [[nodiscard]] static std::optional<Range> parse(std::string_view text);
  /// Bounds are decimal numbers of seconds, or durations: `30m`, `@10m:2h`, `3600`.
  [[nodiscard]] static std::optional<Range> parse_age(std::string_view text);

  [[nodiscard]] bool alerts(double value) const noexcept;
  /// In the guidelines' notation, as short as possible, with plain decimal numbers.
  [[nodiscard]] std::string to_string() const;

 private:
  using BoundParser = std::optional<double> (*)(std::string_view);
  Range(double start, double end, bool inside) : start_(start), end_(end), inside_(inside) {}
  static std::optional<Range> parse_with(std::string_view text, BoundParser parse_bound);

  double start_ = 0;
  double end_ = 0;
  bool inside_ = false;
};

}  // namespace tidings::check_dead_letters
