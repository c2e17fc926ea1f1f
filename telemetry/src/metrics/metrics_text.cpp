#include "metrics/buckets.hpp"
#include "metrics/families.hpp"

#include <tidings/telemetry/metrics_text.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tidings::telemetry {

namespace {

constexpr int kMicrosecondDigits = 6;

std::string_view type_of(MetricKind kind, MetricsFormat format) {
  switch (kind) {
    case MetricKind::Counter:
      return "counter";
    case MetricKind::Gauge:
      return "gauge";
    case MetricKind::Histogram:
      return "histogram";
    case MetricKind::Info:
      return format == MetricsFormat::OpenMetrics ? "info" : "gauge";
  }
  return "unknown";
}

std::string_view suffix_of(MetricKind kind) {
  if (kind == MetricKind::Counter) return "_total";
  return kind == MetricKind::Info ? "_info" : "";
}

/// Text of a help line or a label's value.
void append_escaped(std::string& text, std::string_view raw, bool quoted) {
  for (const char each : raw) {
    if (each == '\n') {
      text += "\\n";
    } else if (each == '\\' || (quoted && each == '"')) {
      (text += '\\') += each;
    } else {
      text += each;
    }
  }
}

class MetricsWriter {
 public:
  explicit MetricsWriter(MetricsFormat format) : format_(format) {}

  void write(const MetricFamily& family) {
    const bool open = format_ == MetricsFormat::OpenMetrics;
    const std::string name = open ? family.name : family.name + std::string(suffix_of(family.kind));
    begin_comment("HELP", name);
    append_escaped(text_, family.help, open);
    begin_comment("TYPE", name);
    text_ += type_of(family.kind, format_);
    if (open && !family.unit.empty()) {
      begin_comment("UNIT", name);
      text_ += family.unit;
    }
    text_ += '\n';
    for (const MetricSample& sample : family.samples) write(family, sample);
  }
  /// The whole text.
  [[nodiscard]] std::string end() && {
    if (format_ == MetricsFormat::OpenMetrics) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void begin_comment(std::string_view what, std::string_view name) {
    if (!text_.empty() && text_.back() != '\n') text_ += '\n';
    (((text_ += "# ") += what) += ' ') += name;
    text_ += ' ';
  }
  void write(const MetricFamily& family, const MetricSample& sample) {
    if (const auto* const histogram = std::get_if<DurationHistogram>(&sample.value))
      return write_histogram(family.name, sample, *histogram);
    begin_line(family.name, suffix_of(family.kind), sample.labels);
    if (const auto* const number = std::get_if<std::uint64_t>(&sample.value)) {
      end_line(*number);
    } else {
      end_line(std::get<double>(sample.value));
    }
  }
  void write_histogram(std::string_view name, const MetricSample& sample,
                       const DurationHistogram& histogram) {
    std::uint64_t below = 0;
    std::size_t index = 0;
    const auto write_bucket = [&](std::string_view bound, std::uint64_t count) {
      below += count;
      begin_line(name, "_bucket", sample.labels, bound);
      text_ += std::to_string(below);
      if (index < sample.exemplars.size()) write_exemplar(sample.exemplars[index]);
      text_ += '\n';
      ++index;
    };
    for_each_bucket(histogram,
                    [&](const Bucket& bucket, std::uint64_t count) { write_bucket(bucket.text, count); });
    const std::uint64_t all = histogram.count();
    write_bucket("+Inf", all - below);
    begin_line(name, "_count", sample.labels);
    end_line(all);
    begin_line(name, "_sum", sample.labels);
    append_seconds(histogram.sum);
    text_ += '\n';
  }
  void write_exemplar(const std::optional<Exemplar>& exemplar) {
    if (!exemplar || format_ != MetricsFormat::OpenMetrics) return;
    ((text_ += " # {trace_id=\"") += exemplar->span.trace_id_text()) += "\",span_id=\"";
    (text_ += exemplar->span.parent_id_text()) += "\"} ";
    append_seconds(exemplar->duration);
    text_ += ' ';
    append_seconds(exemplar->at.time_since_epoch());
  }
  void append_seconds(std::chrono::microseconds time) { append(std::chrono::duration<double>(time).count()); }
  void begin_line(std::string_view name, std::string_view suffix, const Labels& labels,
                  std::string_view bound = {}) {
    (text_ += name) += suffix;
    char separator = '{';
    const auto add = [&](std::string_view label, std::string_view value) {
      ((text_ += separator) += label) += "=\"";
      append_escaped(text_, value, true);
      text_ += '"';
      separator = ',';
    };
    for (const auto& [label, value] : labels) add(label, value);
    if (!bound.empty()) add("le", bound);
    text_ += separator == ',' ? "} " : " ";
  }
  void end_line(std::uint64_t number) { (text_ += std::to_string(number)) += '\n'; }
  void end_line(double number) {
    append(number);
    text_ += '\n';
  }
  void append(double number) {
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                   std::chars_format::fixed, kMicrosecondDigits);
    text_.append(digits.data(), end.ptr);
  }

  const MetricsFormat format_;
  std::string text_;
};

}  // namespace

std::string_view content_type(MetricsFormat format) noexcept {
  return format == MetricsFormat::OpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

void write_metrics(std::ostream& stream, const Metrics& metrics, MetricsFormat format,
                   const MoreMetrics& more) {
  MetricsWriter writer(format);
  for (const MetricFamily& family : families_of(metrics, more)) writer.write(family);
  stream << std::move(writer).end();
}

}  // namespace tidings::telemetry
