#include "output/environment_sinks.hpp"

#include "output/level_table.hpp"

#include <tidings/detail/mutex.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace tidings::logging {

namespace {

using tidings::detail::Mutex;
using tidings::detail::MutexLock;

/// The sinks that loggers have because of the environment. Never destroyed: static objects may log.
struct SharedSinks {
  Mutex mutex;
  std::map<std::string, std::weak_ptr<RecordSink>> by_destination TIDINGS_GUARDED_BY(mutex);
};

SharedSinks& shared_sinks() {
  static auto* const sinks = new SharedSinks;
  return *sinks;
}

std::shared_ptr<RecordSink> make_sink(const std::string& destination, const Environment& environment) {
  const StreamSinkOptions stream{environment.queue_bytes};
  if (destination == "stdout") return stdout_sink(stream);
  if (destination == "stderr") return stderr_sink(stream);
  FileSinkOptions file{.path = destination,
                       .max_bytes = environment.rotate_at_bytes,
                       .max_age = environment.rotate_after,
                       .queue_bytes = environment.queue_bytes};
  file.keep = environment.keep_rotated.value_or(file.keep);
  return file_sink(std::move(file));
}

std::shared_ptr<RecordSink> sink_of(const std::string& destination, const Environment& environment) {
  const MutexLock lock(shared_sinks().mutex);
  std::weak_ptr<RecordSink>& known = shared_sinks().by_destination[destination];
  auto sink = known.lock();
  if (!sink) known = sink = make_sink(destination, environment);
  return sink;
}

std::shared_ptr<RecordSink> sink_or_standard_error(const std::string& destination, Environment& environment) {
  try {
    return sink_of(destination, environment);
  } catch (const Error& error) {
    environment.problems.push_back(
        {"TIDINGS_LOG_OUTPUT", destination, std::string("a file that can be opened: ") + error.what()});
    return stderr_sink();
  }
}

}  // namespace

std::shared_ptr<RecordSink> environment_sink(Environment& environment) {
  return sink_or_standard_error(environment.output.empty() ? "stderr" : environment.output, environment);
}

std::vector<Route> environment_routes(Environment& environment) {
  std::vector<Route> routes;
  for (const auto& [logger, destination] : environment.output_by_prefix) {
    routes.push_back({.logger = logger, .propagate = false});
    routes.back().sinks.emplace_back(sink_or_standard_error(destination, environment));
  }
  return routes;
}

bool has_output_of_its_own(std::string_view logger) {
  const Environment environment = Environment::read();
  return std::any_of(environment.output_by_prefix.begin(), environment.output_by_prefix.end(),
                     [&](const auto& entry) { return is_logger_below(logger, entry.first); });
}

}  // namespace tidings::logging
