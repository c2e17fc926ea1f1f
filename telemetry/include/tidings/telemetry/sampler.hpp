#pragma once

#include <tidings/telemetry/setting_problem.hpp>
#include <tidings/telemetry/span.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidings::telemetry {

/// Decides whether a trace is recorded and exported: OpenTelemetry's samplers. A plain value.
///
/// Of a ratio of traces those are sampled whose randomness, the last 56 bits of the trace id, is at
/// least (1 - ratio) * 2^56 (OpenTelemetry specification, "Consistent probability sampling"; W3C Trace
/// Context level 2, "Random Trace ID Flag"): all services decide alike about a trace, and one with a larger
/// ratio samples whatever one with a smaller ratio does.
class Sampler {
 public:
  /// parent_based(always_on()): OpenTelemetry's default.
  constexpr Sampler() noexcept : Sampler(0, true) {}

  [[nodiscard]] static constexpr Sampler always_on() noexcept { return {0, false}; }
  [[nodiscard]] static constexpr Sampler always_off() noexcept { return {kNever, false}; }
  /// From 0, none, to 1, all. Throws Error(InvalidArgument) for anything else.
  [[nodiscard]] static Sampler ratio(double ratio);
  /// What the parent decided holds; `root` decides where there is none.
  [[nodiscard]] static constexpr Sampler parent_based(Sampler root) noexcept {
    return {root.threshold_, true};
  }

  /// The one that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name: `always_on`, `always_off`,
  /// `traceidratio`, and these with `parentbased_` before them. Anything else is added to `problems`, and the
  /// default is returned, or a ratio of 1.
  [[nodiscard]] static Sampler from_environment(std::vector<SettingProblem>& problems);

  /// `parent_sampled`: what the parent's flag says; nothing for the root of a trace.
  [[nodiscard]] constexpr bool samples(const TraceId& trace,
                                       std::optional<bool> parent_sampled) const noexcept {
    if (follows_parent_ && parent_sampled.has_value()) return *parent_sampled;
    return randomness(trace) >= threshold_;
  }

  friend constexpr bool operator==(const Sampler&, const Sampler&) noexcept = default;

 private:
  static constexpr std::uint64_t kNever = std::uint64_t{1} << 56U;

  constexpr Sampler(std::uint64_t threshold, bool follows_parent) noexcept
      : threshold_(threshold), follows_parent_(follows_parent) {}
  [[nodiscard]] static constexpr std::uint64_t randomness(const TraceId& trace) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t i = 9; i < trace.bytes.size(); ++i) bits = bits << 8U | trace.bytes[i];
    return bits;
  }

  std::uint64_t threshold_;  // of randomness
  bool follows_parent_;
};

}  // namespace tidings::telemetry
