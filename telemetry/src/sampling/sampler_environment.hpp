#pragma once

#include "settings/environment.hpp"

#include <tidings/telemetry/sampler.hpp>

namespace tidings::telemetry {

/// Sampler::from_environment, of this environment.
[[nodiscard]] Sampler sampler_of(const Lookup& lookup, std::vector<SettingProblem>& problems);

}  // namespace tidings::telemetry
