#pragma once

#include <tidings/logging/sink.hpp>
#include <tidings/telemetry/exporter.hpp>

#include <memory>

namespace tidings::telemetry {

/// A sink that exports records: one of LoggerOptions::sinks, beside others.
///
///     const Logger log({.service = "orders", .sinks = {logging::stderr_sink(), export_records(exporter)}});
///
/// OTLP's severity, time, event name, scope (the logger's name), trace, span and flags are those of the
/// record. Its body is the field `message`, else the name of the event; of the other fields these get the
/// names of OpenTelemetry's conventions: `error_type`, `error` (`exception.type`, `exception.message`),
/// `source_file`, `source_line`, `source_function` (`code.file.path`, `code.line.number`,
/// `code.function.name`), `thread`
/// (`thread.id`), `pid`, `host`, `environment`, `release` and `service` (as in a resource). JSON becomes
/// text. Secrets are masked as for all sinks.
///
/// Logger::flush waits for the receiver, for at most 5 s. Logger::dropped counts records that the exporter
/// lost. What the exporter itself logs is not exported.
///
/// Throws Error(InvalidArgument) for null; std::bad_alloc.
[[nodiscard]] std::shared_ptr<logging::RecordSink> export_records(std::shared_ptr<Exporter> exporter);

}  // namespace tidings::telemetry
