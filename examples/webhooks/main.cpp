// A service that takes in GitHub's webhook deliveries, one JSON object a line, and acts on them.
//
// Read on in service.cpp: which handler runs for which event. What handlers do is in handlers.cpp, what they
// need in events.hpp (the events) and downstreams.hpp (the systems around the service).
#include "report.hpp"
#include "service.hpp"
#include "trace_file.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <tidings/telemetry/metrics_text.hpp>
#include <tidings/telemetry/telemetry.hpp>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

// The numbers of sysexits.h.
constexpr int kUsage = 64, kRefusedLines = 65, kNoInput = 66, kInternal = 70, kCannotCreate = 73,
              kInputOutput = 74;

struct Options {
  std::string input = "-";
  std::string database = "webhooks.db";
  std::string log_file;
  std::string summary_file;
  std::string page_file;
  std::string metrics_file;
  std::string trace_file;
  bool quiet = false;
};

int fail(int status, const std::string& message) {
  std::cerr << "webhooks: " << message << '\n';
  return status;
}

tidings::logging::Logger make_logger(const Options& options, const tidings::telemetry::Telemetry& telemetry) {
  std::vector<tidings::logging::Output> outputs;
  if (options.log_file.empty()) {
    outputs = {tidings::logging::stderr_sink()};
  } else {
    outputs = {std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.log_file, true)};
  }
  return tidings::logging::Logger(
      {.service = std::string(webhooks::Service::kName), .sinks = telemetry.with_export(std::move(outputs))});
}

/// Publishes every line that is a delivery; gives back the others.
std::vector<webhooks::RefusedLine> take_in_all(std::istream& input, webhooks::Service& service,
                                               const tidings::logging::Logger& log) {
  std::vector<webhooks::RefusedLine> refused;
  webhooks::LineReader lines(input, webhooks::kMaxLineBytes);
  while (const auto line = lines.next()) {
    if (line->is_blank()) continue;
    try {
      service.take_in(webhooks::parse_delivery(*line), line->number);
    } catch (const std::exception& problem) {
      // A MalformedLine, or the bus did not accept it. Either way nothing of it was delivered.
      refused.push_back({line->number, problem.what()});
      log.warning("line_refused", {{"line", line->number}, {"problem", problem.what()}});
    }
  }
  return refused;
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

int conclude(const webhooks::Report& report, const webhooks::Service& service, const Options& options) {
  if (!options.quiet) webhooks::print_report(std::cout, report, service, wants_colour());
  if (!options.summary_file.empty()) {
    std::ofstream summary(options.summary_file);
    summary << webhooks::to_json(report).dump(2, ' ', true, tidings::Json::error_handler_t::replace) << '\n';
    if (!summary.flush()) return fail(kCannotCreate, "cannot write " + options.summary_file);
  }
  if (!report.is_balanced()) return fail(kInternal, "published is not handled + dead letters: this is a bug");
  return report.refused.empty() ? 0 : kRefusedLines;
}

int run(const Options& options) {
  std::ifstream file;
  if (options.input != "-") {
    file.open(options.input);
    if (!file) return fail(kNoInput, "cannot read " + options.input);
  }
  std::istream& input = options.input == "-" ? std::cin : file;

  // Traces, metrics and records go where OTEL_EXPORTER_OTLP_ENDPOINT says, if it is set.
  tidings::telemetry::Telemetry telemetry(webhooks::Service::kName);
  const auto log = make_logger(options, telemetry);
  auto of_bus = telemetry.for_bus();
  if (!options.trace_file.empty()) of_bus.observer = webhooks::trace_into(options.trace_file);
  webhooks::Service service(tidings::deadletter::Store::open(options.database), log, options.page_file,
                            of_bus);
  const auto measured = telemetry.measure(service.bus());
  webhooks::Report report;
  report.refused = take_in_all(input, service, log);
  const bool read_to_the_end = !input.bad();
  service.finish();
  if (!options.metrics_file.empty())
    tidings::telemetry::write_metrics_file(options.metrics_file, service.bus().metrics(), telemetry.more());
  report.events = service.events();
  report.accounts = service.accounts();
  const int status = conclude(report, service, options);
  return read_to_the_end
             ? status
             : fail(kInputOutput, "reading " + options.input + " failed; the rest is not taken in");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Takes in webhook deliveries, {\"id\": ..., \"type\": ..., \"source\": ..., \"data\": ...} a line, and "
      "acts on them."};
  app.add_option("INPUT", options.input, "A file, or - for standard input")->capture_default_str();
  app.add_option("--db", options.database, "Where dead letters go")->capture_default_str();
  app.add_option("--log", options.log_file, "A file for the log, instead of standard error");
  app.add_option("--summary", options.summary_file, "A file for the numbers, as JSON");
  app.add_option("--page", options.page_file, "A file for the public activity page (default: none)");
  app.add_option("--metrics", options.metrics_file, "A file for the metrics, NAME.prom (default: none)");
  app.add_option("--traces", options.trace_file,
                 "A file for the traces, instead of a receiver (default: none)");
  app.add_flag("--quiet", options.quiet, "Print no report");
  app.footer(
      "Exit status: 0 every line was taken in, 65 some were refused, 64 bad options, 66 no input,\n"
      "73 a file cannot be written or is no database of ours, 74 the input could not be read to its end.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  try {
    return run(options);
  } catch (const tidings::Error& problem) {
    return fail(kCannotCreate, problem.what());
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(kCannotCreate, problem.what());
  }
}
