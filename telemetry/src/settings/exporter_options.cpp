#include <tidings/telemetry/exporter_options.hpp>

#include "settings/environment.hpp"
#include "settings/pair_list.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/quoted.hpp>
#include <tidings/ids.hpp>
#include <tidings/process_identity.hpp>
#include <tidings/version.hpp>

#include <algorithm>

namespace tidings::telemetry {
namespace {

constexpr std::uint64_t kMostWaiting = 1'000'000;

/// What the variables of a signal are called: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_TRACES_EXPORTER.
struct SignalNames {
  const char* name;
  const char* path;
};
constexpr SignalNames kTraces = {"TRACES", "v1/traces"};
constexpr SignalNames kLogs = {"LOGS", "v1/logs"};
constexpr SignalNames kMetrics = {"METRICS", "v1/metrics"};

constexpr const char* kGeneralEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

bool is_http_url(std::string_view url) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (url.size() > scheme.size() && url.starts_with(scheme)) return true;
  }
  return false;
}

/// `http://host/base?query` and `v1/traces`: `http://host/base/v1/traces?query`.
std::string with_path(std::string url, std::string_view path) {
  const std::size_t end = std::min(url.find_first_of("?#"), url.size());
  const bool slash = url[end - 1] == '/';
  return url.insert(end, (slash ? "" : "/") + std::string(path));
}

/// Reads what is said of one signal: by a variable of its own, or by the one for all.
class SignalReader {
 public:
  SignalReader(EnvironmentReader& environment, const SignalNames& signal)
      : environment_(environment), signal_(signal) {}

  [[nodiscard]] Endpoint read() {
    Endpoint endpoint;
    endpoint.url = read_url();
    if (endpoint.url.empty()) return endpoint;
    read_protocol(endpoint);
    read_compression(endpoint);
    read_headers(endpoint);
    endpoint.timeout = environment_.milliseconds(find("TIMEOUT"), endpoint.timeout);
    endpoint.certificate = find("CERTIFICATE").value;
    endpoint.client_certificate = find("CLIENT_CERTIFICATE").value;
    endpoint.client_key = find("CLIENT_KEY").value;
    return endpoint;
  }

 private:
  [[nodiscard]] std::string own(const char* setting) const {
    return std::string("OTEL_EXPORTER_OTLP_") + signal_.name + "_" + setting;
  }
  [[nodiscard]] EnvironmentReader::Found find(const char* setting) const {
    return environment_.first_of({own(setting), std::string("OTEL_EXPORTER_OTLP_") + setting});
  }

  [[nodiscard]] bool is_off() {
    const std::string variable = std::string("OTEL_") + signal_.name + "_EXPORTER";
    const std::string exporter = EnvironmentReader::word(environment_.first_of({variable}));
    if (!exporter.empty() && exporter != "otlp" && exporter != "none")
      environment_.note(variable, detail::quoted(exporter) + " is neither otlp nor none", "otlp");
    return exporter == "none";
  }

  [[nodiscard]] std::string read_url() {
    const auto found = environment_.first_of({own("ENDPOINT"), kGeneralEndpoint});
    if (found.value.empty() || is_off()) return {};
    if (!is_http_url(found.value)) {  // which may have a password in it
      environment_.note(found.variable, "it does not begin with http:// or https://",
                        "none: nothing is exported");
      return {};
    }
    return found.variable == kGeneralEndpoint ? with_path(found.value, signal_.path) : found.value;
  }

  void read_protocol(Endpoint& endpoint) {
    const auto found = find("PROTOCOL");
    const std::string protocol = EnvironmentReader::word(found);
    if (protocol == "http/json") {
      endpoint.protocol = Protocol::HttpJson;
    } else if (!protocol.empty() && protocol != "http/protobuf") {
      environment_.note(found.variable,
                        detail::quoted(found.value) + " is neither http/protobuf nor http/json",
                        "http/protobuf");
    }
  }

  void read_compression(Endpoint& endpoint) {
    const auto found = find("COMPRESSION");
    const std::string compression = EnvironmentReader::word(found);
    if (compression == "gzip") {
      endpoint.compression = Compression::Gzip;
    } else if (!compression.empty() && compression != "none") {
      environment_.note(found.variable, detail::quoted(found.value) + " is neither gzip nor none", "none");
    }
  }

  /// Says where, and not what: the values are secrets, and a misspelt one may look like a name.
  void read_headers(Endpoint& endpoint) {
    const auto found = find("HEADERS");
    PairList list = parse_pairs(found.value);
    for (auto& pair : list.pairs) {
      if (is_sendable_header(pair.name, pair.value)) {
        endpoint.headers.emplace_back(std::move(pair.name), std::move(pair.value));
      } else {
        list.bad_members.push_back(pair.place);
      }
    }
    for (const std::size_t place : list.bad_members)
      environment_.note(
          found.variable,
          "member " + std::to_string(place) + " is no header that can be set, or not percent-encoded",
          "the others");
  }

  EnvironmentReader& environment_;
  const SignalNames& signal_;
};

/// OTEL_BSP_* or OTEL_BLRP_*.
Batching read_batching(EnvironmentReader& environment, const std::string& prefix, Batching batching) {
  const auto found = [&](const char* setting) { return environment.first_of({prefix + setting}); };
  batching.delay = environment.milliseconds(found("SCHEDULE_DELAY"), batching.delay);
  batching.give_up_after = environment.milliseconds(found("EXPORT_TIMEOUT"), batching.give_up_after);
  batching.queue = environment.number(found("MAX_QUEUE_SIZE"), batching.queue, kMostWaiting);
  const std::size_t most = batching.queue;
  batching.batch = environment.number(found("MAX_EXPORT_BATCH_SIZE"), std::min(batching.batch, most), most);
  return batching;
}

void set(Attributes& attributes, const std::string& name, AttributeValue value) {
  const auto same = std::find_if(attributes.begin(), attributes.end(),
                                 [&](const Attribute& attribute) { return attribute.name == name; });
  if (same == attributes.end()) {
    attributes.push_back({name, std::move(value)});
  } else {
    same->value = std::move(value);
  }
}

/// What is known without anybody saying it. Names are those of OpenTelemetry's semantic conventions.
Attributes own_attributes(std::string_view service) {
  const ProcessIdentity& process = process_identity();
  Attributes attributes = {{"service.name", std::string(service.empty() ? "unknown_service" : service)},
                           {"telemetry.sdk.name", "tidings"},
                           {"telemetry.sdk.language", "cpp"},
                           {"telemetry.sdk.version", std::string(version())},
                           {"service.instance.id", uuid_v7_source()->next(system_clock()->now()).to_string()},
                           {"process.pid", process_id()}};
  if (!process.host.empty()) set(attributes, "host.name", process.host);
  if (!process.release.empty()) set(attributes, "service.version", process.release);
  if (!process.environment.empty()) set(attributes, "deployment.environment.name", process.environment);
  return attributes;
}

Resource read_resource(EnvironmentReader& environment, std::string_view service) {
  constexpr const char* kVariable = "OTEL_RESOURCE_ATTRIBUTES";
  Attributes attributes = own_attributes(service);
  PairList list = parse_pairs(environment.text(kVariable));
  if (list.bad_members.empty()) {
    for (auto& pair : list.pairs) set(attributes, pair.name, std::move(pair.value));
  } else {  // as the specification of the variable asks
    environment.note(
        kVariable,
        "member " + std::to_string(list.bad_members.front()) + " is no name=value, percent-encoded",
        "nothing of it");
  }
  const std::string name = environment.text("OTEL_SERVICE_NAME");
  if (!name.empty()) set(attributes, "service.name", name);
  return {std::move(attributes)};
}

ExceptionSignal read_exceptions(EnvironmentReader& environment, bool logs) {
  constexpr const char* kVariable = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN";
  const auto found = environment.first_of({kVariable});
  const std::string signal = EnvironmentReader::word(found);
  if (signal.empty()) return ExceptionSignal::SpanEvents;
  if (signal != "logs" && signal != "logs/dup") {
    environment.note(kVariable, detail::quoted(found.value) + " is neither logs nor logs/dup", "span events");
  } else if (!logs) {
    environment.note(kVariable, "log records are not exported", "span events");
  } else {
    return signal == "logs" ? ExceptionSignal::Logs : ExceptionSignal::Both;
  }
  return ExceptionSignal::SpanEvents;
}

}  // namespace

ExporterOptions exporter_options_of(const Lookup& lookup, std::string_view service) {
  ExporterOptions options;
  EnvironmentReader environment(lookup, options.problems);
  if (environment.boolean("OTEL_SDK_DISABLED")) return options;
  options.traces = SignalReader(environment, kTraces).read();
  options.logs = SignalReader(environment, kLogs).read();
  options.metrics = SignalReader(environment, kMetrics).read();
  const bool any = !options.traces.url.empty() || !options.logs.url.empty() || !options.metrics.url.empty();
  if (!any) return options;
  options.span_batches = read_batching(environment, "OTEL_BSP_", options.span_batches);
  options.log_batches = read_batching(environment, "OTEL_BLRP_", options.log_batches);
  options.metrics_interval = environment.milliseconds(environment.first_of({"OTEL_METRIC_EXPORT_INTERVAL"}),
                                                      options.metrics_interval);
  // A variable of all signals is read once for each.
  std::vector<SettingProblem> told;
  for (SettingProblem& problem : options.problems) {
    if (std::find(told.begin(), told.end(), problem) == told.end()) told.push_back(std::move(problem));
  }
  options.problems = std::move(told);
  options.exceptions = read_exceptions(environment, !options.logs.url.empty());
  options.resource = read_resource(environment, service);
  return options;
}

ExporterOptions ExporterOptions::from_environment(std::string_view service) {
  return exporter_options_of(process_environment(), service);
}

}  // namespace tidings::telemetry
