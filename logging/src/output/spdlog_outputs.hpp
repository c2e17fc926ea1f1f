#pragma once

#include <tidings/event.hpp>
#include <tidings/logging/sink.hpp>

#include <memory>

namespace spdlog {
class logger;
}

namespace tidings::logging {

/// A spdlog logger of the user's own as a sink: its level, pattern and error handler stay as they are.
[[nodiscard]] std::shared_ptr<RecordSink> spdlog_logger_sink(std::shared_ptr<spdlog::logger> logger);

/// `spdlog_version` and `fmt_version`: of the headers that tidings was built with.
[[nodiscard]] Json library_versions();

}  // namespace tidings::logging
