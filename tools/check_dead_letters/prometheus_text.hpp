#pragma once

#include "check_dead_letters/check.hpp"

#include <string>

namespace tidings::check_dead_letters {

/// The report as metrics for node_exporter's textfile collector: HELP and TYPE for each, no timestamps, zero
/// if there is nothing to count, NaN if the value is unknown; ends in a line feed.
/// https://github.com/prometheus/node_exporter#textfile-collector
[[nodiscard]] std::string prometheus_text(const Report& report);

}  // namespace tidings::check_dead_letters
