#pragma once

#include "output/environment.hpp"

#include <tidings/logging/logger.hpp>

#include <memory>
#include <vector>

namespace tidings::logging {

/// Where the environment wants records to go; standard error where it says nothing, or names a file that
/// cannot be opened: that is added to its problems. Loggers of the process share one sink for each
/// destination.
[[nodiscard]] std::shared_ptr<RecordSink> environment_sink(Environment& environment);
/// The destinations of single loggers, whose records go nowhere else.
[[nodiscard]] std::vector<Route> environment_routes(Environment& environment);

}  // namespace tidings::logging
