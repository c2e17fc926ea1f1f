#include <tidings/telemetry/sampler.hpp>

#include "sampling/sampler_environment.hpp"

#include <tidings/detail/quoted.hpp>
#include <tidings/error.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace tidings::telemetry {
namespace {

constexpr const char* kSampler = "OTEL_TRACES_SAMPLER";
constexpr const char* kArgument = "OTEL_TRACES_SAMPLER_ARG";
constexpr std::string_view kParentBased = "parentbased_";

bool is_ratio(double number) noexcept { return number >= 0.0 && number <= 1.0; }  // false for NaN

double ratio_argument(EnvironmentReader& environment) {
  const std::string text = environment.text(kArgument);
  if (text.empty()) return 1.0;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && is_ratio(number)) return number;
  environment.note(kArgument, detail::quoted(text) + " is no number from 0 to 1", "1");
  return 1.0;
}

std::optional<Sampler> sampler_named(std::string_view name, EnvironmentReader& environment) {
  if (name == "always_on") return Sampler::always_on();
  if (name == "always_off") return Sampler::always_off();
  if (name == "traceidratio") return Sampler::ratio(ratio_argument(environment));
  return std::nullopt;
}

}  // namespace

Sampler Sampler::ratio(double ratio) {
  if (!is_ratio(ratio)) throw Error(ErrorCode::InvalidArgument, "a sampler's ratio is from 0 to 1");
  const auto sampled = static_cast<std::uint64_t>(std::llround(ratio * static_cast<double>(kNever)));
  return {kNever - sampled, false};
}

Sampler Sampler::from_environment(std::vector<SettingProblem>& problems) {
  return sampler_of(process_environment(), problems);
}

Sampler sampler_of(const Lookup& lookup, std::vector<SettingProblem>& problems) {
  EnvironmentReader environment(lookup, problems);
  const std::string name = EnvironmentReader::word(environment.first_of({kSampler}));
  if (name.empty()) return {};
  const bool follows_parent = name.starts_with(kParentBased);
  const std::string_view root = std::string_view(name).substr(follows_parent ? kParentBased.size() : 0);
  const std::optional<Sampler> sampler = sampler_named(root, environment);
  if (!sampler) {
    environment.note(kSampler,
                     detail::quoted(name) +
                         " is none of always_on, always_off, traceidratio, and these after parentbased_",
                     "parentbased_always_on");
    return {};
  }
  return follows_parent ? Sampler::parent_based(*sampler) : *sampler;
}

}  // namespace tidings::telemetry
