#include "metrics/families.hpp"

#include "metrics/buckets.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/telemetry/counters.hpp>
#include <tidings/telemetry/exporter.hpp>
#include <tidings/version.hpp>

#include <chrono>
#include <cstddef>
#include <utility>

namespace tidings::telemetry {

namespace {

constexpr std::string_view kSeconds = "seconds";
constexpr std::string_view kType = "event_type";
constexpr std::string_view kHandler = "handler";
constexpr std::string_view kOutcome = "outcome";

double seconds(Timestamp time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

Labels of_handler(const HandlerMetrics& handler) {
  return {{std::string(kType), handler.event_type}, {std::string(kHandler), handler.handler}};
}

Labels with(Labels labels, std::string_view name, std::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

using Families = std::vector<MetricFamily>;

MetricFamily one(std::string name, MetricKind kind, std::string help, std::uint64_t value) {
  return {std::move(name), kind, std::move(help), {{{}, value}}};
}

/// One series for each handler, of what `number` says.
template <class Number>
MetricFamily by_handler(std::string name, MetricKind kind, std::string help, const Metrics& metrics,
                        const Number& number) {
  MetricFamily family{std::move(name), kind, std::move(help)};
  if (kind == MetricKind::Histogram) family.unit = kSeconds;
  for (const HandlerMetrics& each : metrics.handlers)
    family.samples.push_back({of_handler(each), number(each)});
  return family;
}

MetricFamily published(const Metrics& metrics) {
  MetricFamily family{"tidings_events_published", MetricKind::Counter,
                      "Events that were accepted, by their type."};
  for (const TypeMetrics& each : metrics.types)
    family.samples.push_back({{{std::string(kType), each.event_type}}, each.published});
  return family;
}

MetricFamily attempts(const Metrics& metrics) {
  MetricFamily family{"tidings_handler_attempts", MetricKind::Counter,
                      "Attempts of handlers that returned (handled) or threw (failed)."};
  for (const HandlerMetrics& each : metrics.handlers) {
    family.samples.push_back({with(of_handler(each), kOutcome, "handled"), each.handled});
    family.samples.push_back({with(of_handler(each), kOutcome, "failed"), each.failed});
  }
  return family;
}

/// An event that nobody subscribed to has no handler.
MetricFamily dead_letters(const Metrics& metrics) {
  auto family = by_handler(
      "tidings_dead_letters", MetricKind::Counter,
      "Deliveries that gave up; without a handler, events that nobody subscribed to and that became letters.",
      metrics, [](const HandlerMetrics& each) { return each.dead; });
  for (const TypeMetrics& each : metrics.types) {
    family.samples.push_back(
        {{{std::string(kType), each.event_type}, {std::string(kHandler), ""}}, each.dead});
  }
  return family;
}

/// Those of buckets that have counted something: a traced attempt need not be among the measured ones.
std::vector<std::optional<Exemplar>> exemplars_of(const HandlerMetrics& handler, const Exemplars& exemplars) {
  auto found = exemplars.of(handler.event_type, handler.handler);
  if (found.empty()) return found;
  std::size_t index = 0;
  std::uint64_t above = handler.durations.count();
  for_each_bucket(handler.durations, [&](const Bucket&, std::uint64_t count) {
    if (count == 0) found[index].reset();
    ++index;
    above -= count;
  });
  if (above == 0) found[index].reset();
  return found;
}

MetricFamily durations(const Metrics& metrics, const Exemplars* exemplars) {
  auto family = by_handler("tidings_handler_duration_seconds", MetricKind::Histogram,
                           "How long attempts took that returned. Of inline handlers one publish in 64 "
                           "of each thread is measured.",
                           metrics, [](const HandlerMetrics& each) { return each.durations; });
  if (exemplars == nullptr) return family;
  for (std::size_t index = 0; index < metrics.handlers.size(); ++index)
    family.samples[index].exemplars = exemplars_of(metrics.handlers[index], *exemplars);
  return family;
}

/// Left out when deliveries are not counted: a zero would say that nothing happened.
void add_deliveries(const Metrics& metrics, const Exemplars* exemplars, Families& families) {
  if (!metrics.counted) return;
  families.push_back(published(metrics));
  families.push_back(attempts(metrics));
  families.push_back(by_handler("tidings_handler_retries", MetricKind::Counter,
                                "Failed attempts that another one follows.", metrics,
                                [](const HandlerMetrics& each) { return each.retried; }));
  families.push_back(by_handler("tidings_handler_slow_attempts", MetricKind::Counter,
                                "Attempts that took longer than the handler's slow_threshold.", metrics,
                                [](const HandlerMetrics& each) { return each.slow; }));
  families.push_back(dead_letters(metrics));
  families.push_back(durations(metrics, exemplars));
  families.push_back(by_handler("tidings_queue_wait_seconds", MetricKind::Histogram,
                                "From an event's publish to the first attempt of a delivery on a worker.",
                                metrics, [](const HandlerMetrics& each) { return each.queue_waits; }));
}

void add_load(const Metrics& metrics, Families& families) {
  const auto count = [](std::size_t number) { return static_cast<std::uint64_t>(number); };
  families.push_back(by_handler("tidings_queue_depth", MetricKind::Gauge,
                                "Deliveries that are queued and neither run nor wait.", metrics,
                                [&](const HandlerMetrics& each) { return count(each.queued); }));
  families.push_back(by_handler("tidings_queue_waiting", MetricKind::Gauge,
                                "Deliveries that wait for a retry, or behind one of the same ordering key.",
                                metrics, [&](const HandlerMetrics& each) { return count(each.waiting); }));
  families.push_back(by_handler("tidings_handler_running", MetricKind::Gauge, "Attempts that run now.",
                                metrics, [&](const HandlerMetrics& each) { return count(each.running); }));
  families.push_back(one("tidings_workers", MetricKind::Gauge, "Workers of the bus.", metrics.workers));
  families.push_back(
      one("tidings_workers_busy", MetricKind::Gauge, "Workers that are at a queue.", metrics.workers_busy));
  families.push_back(one("tidings_bus_accepting", MetricKind::Gauge,
                         "1 while the bus accepts events, 0 once it stops.", metrics.accepting ? 1 : 0));
}

void add_letters(const Metrics& metrics, Families& families) {
  MetricFamily by_reason{"tidings_letters", MetricKind::Counter,
                         "Dead letters of this process, by the reason of giving up."};
  for (const Reason reason : kReasons)
    by_reason.samples.push_back({{{"reason", std::string(to_string(reason))}}, metrics.letters.of(reason)});
  families.push_back(std::move(by_reason));
  families.push_back(one("tidings_letters_pending", MetricKind::Gauge, "Letters that wait for their commit.",
                         metrics.letters.pending));
  if (metrics.letters.unresolved) {
    families.push_back(one("tidings_dead_letters_unresolved", MetricKind::Gauge,
                           "Letters of the service in the database that nobody has resolved.",
                           metrics.letters.unresolved->letters));
    MetricFamily oldest{"tidings_dead_letters_oldest_timestamp_seconds",
                        MetricKind::Gauge,
                        "When the oldest of them failed; absent while there is none.",
                        {},
                        kSeconds};
    if (const auto& failed_at = metrics.letters.unresolved->oldest_failed_at)
      oldest.samples.push_back({{}, seconds(*failed_at)});
    families.push_back(std::move(oldest));
  }
  families.push_back(one("tidings_letters_spilled", MetricKind::Counter,
                         "Letters that the database did not take and a spill file did.",
                         metrics.letters.spilled));
  families.push_back(
      one("tidings_letters_unsaved", MetricKind::Counter,
          "Letters that neither the database nor a spill file took: they are on standard error.",
          metrics.letters.unsaved));
  families.push_back({"tidings_redrives",
                      MetricKind::Counter,
                      "Letters that were delivered again, by what became of them.",
                      {{{{std::string(kOutcome), "handled"}}, metrics.letters.redriven},
                       {{{std::string(kOutcome), "failed"}}, metrics.letters.redrives_failed}}});
  families.push_back(one("tidings_events_duplicate", MetricKind::Counter,
                         "Publishes that repeated an idempotency key or a foreign id.", metrics.duplicates));
  MetricFamily commits{"tidings_commit_duration_seconds",
                       MetricKind::Histogram,
                       "How long commits of letters and of the journal took, refused ones included.",
                       {{{}, metrics.commits}},
                       kSeconds};
  families.push_back(std::move(commits));
}

/// What is owed is unknown while the journal cannot be read, and not 0.
void add_journal(const Metrics& metrics, Families& families) {
  if (!metrics.journal) return;
  const bool readable = metrics.journal->problem.empty();
  families.push_back(one("tidings_journal_readable", MetricKind::Gauge,
                         "0 while the journal cannot be read; what it owes is unknown then.",
                         readable ? 1 : 0));
  if (!readable) return;
  families.push_back(by_handler("tidings_journal_owed", MetricKind::Gauge,
                                "Durable deliveries that the journal owes, of its first 10,000 events.",
                                metrics, [](const HandlerMetrics& each) { return each.owed; }));
  families.push_back(one("tidings_journal_owed_to_nobody", MetricKind::Gauge,
                         "Durable deliveries that the journal owes to handlers that are not subscribed.",
                         metrics.journal->owed_to_nobody));
  MetricFamily oldest{"tidings_journal_oldest_timestamp_seconds",
                      MetricKind::Gauge,
                      "When the oldest event that is owed was published; absent while nothing is owed.",
                      {},
                      kSeconds};
  for (const HandlerMetrics& each : metrics.handlers) {
    if (each.oldest_owed) oldest.samples.push_back({of_handler(each), seconds(*each.oldest_owed)});
  }
  families.push_back(std::move(oldest));
}

MetricFamily dropped(const Exporter& exporter) {
  MetricFamily family{"tidings_exporter_dropped", MetricKind::Counter,
                      "Spans, records and readings of metrics that the exporter of OTLP has lost."};
  for (const auto& [signal, name] :
       {std::pair(ExportSignal::Traces, "traces"), std::pair(ExportSignal::Logs, "logs"),
        std::pair(ExportSignal::Metrics, "metrics")})
    family.samples.push_back({{{"signal", name}}, exporter.dropped(signal)});
  return family;
}

void add_own(const CounterRegistry& own, Families& families) {
  for (CounterRegistry::Family& each : own.read()) {
    MetricFamily family{std::move(each.name), MetricKind::Counter, std::move(each.help)};
    for (CounterRegistry::Series& series : each.series)
      family.samples.push_back({std::move(series.labels), series.value});
    families.push_back(std::move(family));
  }
}

}  // namespace

std::vector<MetricFamily> families_of(const Metrics& metrics, const MoreMetrics& more) {
  Families families;
  families.push_back(
      {"tidings_build",
       MetricKind::Info,
       "The service of the bus, and the version of tidings.",
       {{{{"service", metrics.service}, {"version", std::string(version())}}, std::uint64_t{1}}}});
  add_deliveries(metrics, more.exemplars, families);
  add_load(metrics, families);
  add_letters(metrics, families);
  add_journal(metrics, families);
  families.push_back(one("tidings_counts_lost", MetricKind::Counter,
                         "Counts that the minutes in the database lack; metrics have them.",
                         metrics.counts_lost));
  if (more.exporter != nullptr) families.push_back(dropped(*more.exporter));
  if (more.own != nullptr) add_own(*more.own, families);
  return families;
}

}  // namespace tidings::telemetry
