#include "check.hpp"
#include "counted_new.hpp"
#include "inline_contenders.hpp"
#include "local_receiver.hpp"
#include "processor_time.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "statistics.hpp"

#include "otlp/messages.hpp"
#include "sending/gzip.hpp"
#include "sending/http_client.hpp"

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <tidings/context.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <ctime>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What metrics and traces cost a publish beside the same publish without them, and what a span costs on its
// way to a receiver.

namespace tidings::bench {

namespace {

using telemetry::SpanData;

constexpr std::uint64_t kEvents = 20'000;         // of each repetition
constexpr std::uint64_t kRecordedEvents = 2'000;  // whose spans cost microseconds
constexpr std::size_t kSpans = 512;               // of one request, as by default

// Bounds in nanoseconds: 4 a publish and 2 a handler; 30 a handler.
constexpr double kMostOfMetrics1 = 4 + 2;
constexpr double kMostOfMetrics4 = 4 + 4 * 2;
constexpr double kMostUnsampled1 = 30;
constexpr double kMostUnsampled4 = 4 * 30;

const char* const kUnsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// Spans are counted and thrown away.
class SpanCount {
 public:
  [[nodiscard]] std::shared_ptr<telemetry::Tracer> tracer(telemetry::Sampler sampler) {
    return std::make_shared<telemetry::Tracer>([this](const SpanData&) { ++spans_; },
                                               telemetry::TracerOptions{.sampler = sampler});
  }
  [[nodiscard]] std::uint64_t spans() const noexcept { return spans_; }

 private:
  std::uint64_t spans_ = 0;  // of one thread
};

BusOptions observed_bus(SpanCount& spans, telemetry::Sampler sampler) {
  BusOptions options = quiet_bus();
  options.telemetry.observer = spans.tracer(sampler);
  return options;
}

BusOptions counting_bus() {
  BusOptions options = quiet_bus();
  options.telemetry.metrics = true;
  return options;
}

std::string row_name(const std::string& what, std::uint64_t handlers) {
  return "publish, " + std::to_string(handlers) +
         (handlers == 1 ? " inline handler, " : " inline handlers, ") + what;
}
std::string more(const std::string& row) { return row + ": more"; }

/// How one publish compares with another, and what it takes more.
std::vector<Row> compare_publishes(const std::string& row, const std::vector<double>& with,
                                   const std::string& yardstick, const std::vector<double>& without,
                                   std::optional<Target> most) {
  const auto differences = combine(with, without, [](double left, double right) { return left - right; });
  return {compare(row, "ns", with, yardstick, without, std::nullopt),
          absolute(more(row), "ns", differences, most)};
}

constexpr const char* kMetrics = "metrics counted";
constexpr const char* kUnsampled = "traced, the parent not sampled";
constexpr const char* kOnePercent = "traced, 1 % sampled";
constexpr const char* kAll = "traced, all sampled";
constexpr const char* kWithoutEither = "without telemetry";

std::vector<Row> measure_metrics(const Settings& settings, std::uint64_t handlers) {
  Bus plain_bus{quiet_bus()};
  Bus bus{counting_bus()};
  TidingsContender plain(plain_bus, handlers);
  TidingsContender counted(bus, handlers);
  const auto series = take_turns(settings.short_rounds(), {[&] { return nanoseconds_each(kEvents, counted); },
                                                           [&] { return nanoseconds_each(kEvents, plain); }});
  return compare_publishes(row_name(kMetrics, handlers), series[0], kWithoutEither, series[1],
                           at_most(handlers == 1 ? kMostOfMetrics1 : kMostOfMetrics4));
}

std::vector<Row> measure_unsampled(const Settings& settings, std::uint64_t handlers) {
  SpanCount spans;
  Bus plain_bus{quiet_bus()};
  Bus bus{observed_bus(spans, telemetry::Sampler())};
  TidingsContender plain(plain_bus, handlers);
  TidingsContender traced(bus, handlers);
  const ContextScope scope(Context{.traceparent = TraceParent::parse(kUnsampledParent)});
  const auto series = take_turns(settings.short_rounds(), {[&] { return nanoseconds_each(kEvents, traced); },
                                                           [&] { return nanoseconds_each(kEvents, plain); }});
  require_equal(spans.spans(), 0, "count of spans");
  return compare_publishes(row_name(kUnsampled, handlers), series[0], "in the same trace without a tracer",
                           series[1], at_most(handlers == 1 ? kMostUnsampled1 : kMostUnsampled4));
}

std::vector<Row> measure_sampled(const Settings& settings) {
  SpanCount few;
  SpanCount all;
  Bus plain_bus{quiet_bus()};
  Bus few_bus{observed_bus(few, telemetry::Sampler::ratio(0.01))};
  Bus all_bus{observed_bus(all, telemetry::Sampler::always_on())};
  TidingsContender plain(plain_bus, 1);
  TidingsContender sampled(few_bus, 1);
  TidingsContender recorded(all_bus, 1);
  const std::size_t rounds = settings.short_rounds();
  const auto series = take_turns(rounds, {[&] { return nanoseconds_each(kEvents, sampled); },
                                          [&] { return nanoseconds_each(kRecordedEvents, recorded); },
                                          [&] { return nanoseconds_each(kEvents, plain); }});
  require_equal(all.spans(), (rounds + 1) * kRecordedEvents * 2, "count of spans");
  if (few.spans() == 0) throw std::runtime_error("no trace of 1 % was sampled");
  auto rows = compare_publishes(row_name(kOnePercent, 1), series[0], kWithoutEither, series[2], {});
  for (Row& row : compare_publishes(row_name(kAll, 1), series[1], kWithoutEither, series[2], {}))
    rows.push_back(std::move(row));
  return rows;
}

// --- allocations ---

const std::string kMetricsAllocationRow = "heap allocations, inline publish, metrics counted";
const std::string kTracedAllocationRow = "heap allocations, inline publish, traced, not sampled";

double allocations_each(const BusOptions& options) {
  Bus bus{options};
  TidingsContender contender(bus, 4);
  contender(kRecordedEvents);
  const AllocationCount count;
  contender(kRecordedEvents);
  return static_cast<double>(count.so_far()) / static_cast<double>(kRecordedEvents);
}

std::vector<Row> measure_allocations(const Settings&) {
  SpanCount spans;
  return {absolute(kMetricsAllocationRow, "", {allocations_each(counting_bus())}, at_most(0)),
          absolute(kTracedAllocationRow, "",
                   {allocations_each(observed_bus(spans, telemetry::Sampler::always_off()))}, at_most(0))};
}

// --- what becomes of a span ---

const std::string kEncodeRow = "one span as protobuf";
const std::string kEncodeJsonRow = "one span as JSON";
const std::string kExportRow = "one span, encoded, gzipped and sent to a receiver here";

/// Those of publishes, each to one handler.
std::vector<SpanData> real_spans() {
  std::vector<SpanData> spans;
  BusOptions options = quiet_bus();
  options.telemetry.observer =
      std::make_shared<telemetry::Tracer>([&](SpanData span) { spans.push_back(std::move(span)); });
  Bus bus{options};
  TidingsContender contender(bus, 1);
  contender(kSpans / 2);
  require_equal(spans.size(), kSpans, "count of spans");
  return spans;
}

const telemetry::Resource& resource() {
  static const telemetry::Resource resource{telemetry::ExporterOptions::from_environment("bench").resource};
  return resource;
}

/// In processor time; both for each of `kSpans`.
std::vector<Row> measure_encoding(const Settings& settings) {
  using telemetry::OtlpEncoding;
  const auto spans = real_spans();
  const std::string json = encode_spans(spans, resource(), OtlpEncoding::Json);
  const auto object = nlohmann::ordered_json::parse(json);
  if (object.dump() != json) throw std::runtime_error("nlohmann's text of the spans is not that of tidings");
  const auto encode = [&](OtlpEncoding encoding) {
    return nanoseconds_each(kSpans, [&](std::uint64_t) {
      std::string body = encode_spans(spans, resource(), encoding);
      benchmark::DoNotOptimize(body);
    });
  };
  const auto series =
      take_turns(settings.short_rounds(),
                 {[&] { return encode(OtlpEncoding::Protobuf); }, [&] { return encode(OtlpEncoding::Json); },
                  [&] {
                    return nanoseconds_each(kSpans, [&](std::uint64_t) {
                      std::string body = object.dump();
                      benchmark::DoNotOptimize(body);
                    });
                  }});
  const std::string yardstick = "nlohmann's dump of a finished object";
  return {compare(kEncodeRow, "ns", series[0], yardstick, series[2], std::nullopt),
          compare(kEncodeJsonRow, "ns", series[1], yardstick, series[2], std::nullopt)};
}

/// Processor time of all threads, the receiver's too.
double nanoseconds_of_process() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::vector<Row> measure_export(const Settings& settings) {
  LocalReceiver receiver;
  telemetry::Endpoint endpoint{.url = receiver.url(), .compression = telemetry::Compression::Gzip};
  telemetry::ExporterOptions options{.traces = endpoint, .resource = resource()};
  telemetry::Exporter exporter(options);
  const auto spans = real_spans();
  const std::string body = encode_spans(spans, resource(), telemetry::OtlpEncoding::Protobuf);
  telemetry::HttpClient http;
  const auto each = [](double all) { return all / static_cast<double>(kSpans); };
  // One connection at a time: the exporter's is kept, and the yardstick has a receiver of its own.
  LocalReceiver other;
  endpoint.url = other.url();
  const std::size_t rounds = settings.short_rounds();
  const auto series = take_turns(
      rounds, {[&] {
                 std::vector<SpanData> copies = spans;
                 const double begin = nanoseconds_of_process();
                 for (SpanData& span : copies) exporter.add(std::move(span));
                 if (!exporter.flush(std::chrono::seconds(10)))
                   throw std::runtime_error("spans were not sent");
                 return each(nanoseconds_of_process() - begin);
               },
               [&] {
                 const double begin = nanoseconds_of_process();
                 const auto response = http.post(endpoint, telemetry::gzipped(body));
                 require_equal(static_cast<std::uint64_t>(response.status), 200, "status of the answer");
                 return each(nanoseconds_of_process() - begin);
               }});
  require_equal(exporter.sent(telemetry::ExportSignal::Traces), (rounds + 1) * kSpans, "count of spans");
  require_equal(receiver.bytes(), other.bytes(), "count of bytes that the receivers got");
  return {compare(kExportRow, "ns", series[0], "gzip and POST of the same bytes", series[1], std::nullopt)};
}

}  // namespace

void add_telemetry_rows(std::vector<Measurement>& measurements) {
  const auto add = [&](std::vector<std::string> names, std::function<std::vector<Row>(const Settings&)> run) {
    std::vector<std::string> rows;
    for (std::string& name : names) {
      rows.push_back(name);
      rows.push_back(more(name));
    }
    measurements.push_back({std::move(rows), std::move(run)});
  };
  for (const std::uint64_t handlers : {1U, 4U}) {
    add({row_name(kMetrics, handlers)},
        [handlers](const Settings& settings) { return measure_metrics(settings, handlers); });
    add({row_name(kUnsampled, handlers)},
        [handlers](const Settings& settings) { return measure_unsampled(settings, handlers); });
  }
  add({row_name(kOnePercent, 1), row_name(kAll, 1)}, measure_sampled);
  measurements.push_back({{kMetricsAllocationRow, kTracedAllocationRow}, measure_allocations});
  measurements.push_back({{kEncodeRow, kEncodeJsonRow}, measure_encoding});
  measurements.push_back({{kExportRow}, measure_export});
}

}  // namespace tidings::bench
