#include <tidings/telemetry/record_exporter.hpp>

#include "exporting/exporting_thread.hpp"

#include <tidings/error.hpp>
#include <tidings/event.hpp>
#include <tidings/logging/level.hpp>
#include <tidings/trace_context.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::telemetry {
namespace {

constexpr std::chrono::seconds kFlushPatience{5};

/// Fields that have a place of their own.
constexpr std::array<std::string_view, 7> kElsewhere = {"timestamp", "level",   "event",  "logger",
                                                        "trace_id",  "span_id", "message"};

/// Fields that OpenTelemetry's semantic conventions have a name for.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kConventions = {{
    {"error_type", "exception.type"},
    {"error", "exception.message"},
    {"source_file", "code.file.path"},
    {"source_line", "code.line.number"},
    {"source_function", "code.function.name"},
    {"thread", "thread.id"},
    {"pid", "process.pid"},
    {"host", "host.name"},
    {"environment", "deployment.environment.name"},
    {"release", "service.version"},
    {"service", "service.name"},
}};

std::string attribute_name(const std::string& field) {
  const auto known = std::find_if(kConventions.begin(), kConventions.end(),
                                  [&](const auto& convention) { return convention.first == field; });
  return known == kConventions.end() ? field : std::string(known->second);
}

Severity severity_of(logging::Level level) noexcept {
  switch (level) {
    case logging::Level::Trace:
      return Severity::Trace;
    case logging::Level::Debug:
      return Severity::Debug;
    case logging::Level::Warning:
      return Severity::Warning;
    case logging::Level::Error:
      return Severity::Error;
    case logging::Level::Critical:
      return Severity::Fatal;
    case logging::Level::Info:
    case logging::Level::Off:
      break;
  }
  return Severity::Info;
}

/// Nothing for null.
std::optional<AttributeValue> attribute_value(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return std::nullopt;
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::boolean:
      return value.get<bool>();
    case Json::value_t::number_float:
      return value.get<double>();
    case Json::value_t::number_integer:
      return value.get<std::int64_t>();
    case Json::value_t::number_unsigned: {
      const auto number = value.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return std::to_string(number);
      return static_cast<std::int64_t>(number);
    }
    default:
      return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

std::string text_of(const Json& fields, const char* name) {
  const auto found = fields.find(name);
  return found != fields.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Of the ids that a record has in hexadecimal digits.
SpanContext context_of(const Json& fields, std::uint8_t flags) {
  const std::string span = text_of(fields, "span_id");
  const auto parsed = TraceParent::parse("00-" + text_of(fields, "trace_id") + "-" +
                                         (span.empty() ? "0000000000000001" : span) + "-00");
  if (!parsed) return {};
  SpanContext context;
  context.trace_id = {parsed->trace_id};
  context.trace_flags = flags;
  if (!span.empty()) context.span_id.bytes = parsed->parent_id;
  return context;
}

LogData log_data_of(const logging::VisibleRecord& record) {
  const Json fields = record.fields();
  LogData log;
  log.time_ns = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(record.timestamp().time_since_epoch()).count());
  log.observed_ns = log.time_ns;
  log.severity = severity_of(record.level());
  log.severity_text = std::string(logging::to_string(record.level()));
  log.event_name = std::string(record.event());
  log.logger = std::string(record.logger());
  const std::string message = text_of(fields, "message");
  log.body = message.empty() ? log.event_name : message;
  log.context = context_of(fields, record.trace_flags());
  for (const auto& [name, value] : fields.items()) {
    if (std::find(kElsewhere.begin(), kElsewhere.end(), name) != kElsewhere.end()) continue;
    if (auto attribute = attribute_value(value))
      log.attributes.push_back({attribute_name(name), std::move(*attribute)});
  }
  return log;
}

class RecordExporter final : public logging::RecordSink {
 public:
  explicit RecordExporter(std::shared_ptr<Exporter> exporter) : exporter_(std::move(exporter)) {}

  void write(const logging::VisibleRecord& record) override {
    if (is_exporting_thread() || !exporter_->exports(ExportSignal::Logs)) return;
    exporter_->add(log_data_of(record));
  }
  void flush() override {
    if (!is_exporting_thread()) exporter_->flush(kFlushPatience);
  }
  void flush_soon() override {}  // the exporter's batches are soon enough
  [[nodiscard]] std::string destination() const override { return "otlp"; }
  [[nodiscard]] std::uint64_t lost() const noexcept override {
    return exporter_->dropped(ExportSignal::Logs);
  }

 private:
  const std::shared_ptr<Exporter> exporter_;
};

}  // namespace

std::shared_ptr<logging::RecordSink> export_records(std::shared_ptr<Exporter> exporter) {
  if (exporter == nullptr)
    throw Error(ErrorCode::InvalidArgument, "export_records: there must be an exporter");
  return std::make_shared<RecordExporter>(std::move(exporter));
}

}  // namespace tidings::telemetry
