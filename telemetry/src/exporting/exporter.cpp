#include <tidings/telemetry/exporter.hpp>

#include "exporting/exporting_thread.hpp"
#include "exporting/item_queue.hpp"
#include "exporting/lane.hpp"
#include "exporting/metric_readings.hpp"
#include "sending/http_client.hpp"
#include "settings/pair_list.hpp"

#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace tidings::telemetry {
namespace {

/// With nothing due the thread still looks once an hour: no clock has to wait for ever.
constexpr std::chrono::hours kIdle{1};

thread_local constinit bool exporting_thread = false;

[[noreturn]] void refuse_option(const std::string& what) { throw Error(ErrorCode::InvalidArgument, what); }

void require_valid(const Endpoint& endpoint, const char* name) {
  if (endpoint.url.empty()) return;
  const std::string options = std::string("ExporterOptions::") + name;
  if (!endpoint.url.starts_with("http://") && !endpoint.url.starts_with("https://"))
    refuse_option(options + ".url must begin with http:// or https://");
  if (endpoint.timeout.count() <= 0) refuse_option(options + ".timeout must be positive");
  for (const auto& [header, value] : endpoint.headers) {
    if (!is_sendable_header(header, value))
      refuse_option(options + ".headers has one that cannot be sent, or that the exporter sets itself");
  }
}

void require_valid(const Batching& batching, const char* name) {
  const std::string options = std::string("ExporterOptions::") + name;
  if (batching.batch == 0 || batching.batch > batching.queue)
    refuse_option(options + ".batch must be at least 1, and at most as large as the queue");
  if (batching.delay.count() <= 0 || batching.give_up_after.count() <= 0)
    refuse_option(options + " must have positive times");
}

ExporterOptions checked(ExporterOptions options) {
  require_valid(options.traces, "traces");
  require_valid(options.logs, "logs");
  require_valid(options.metrics, "metrics");
  require_valid(options.span_batches, "span_batches");
  require_valid(options.log_batches, "log_batches");
  if (options.metrics_interval.count() <= 0)
    refuse_option("ExporterOptions::metrics_interval must be positive");
  constexpr std::chrono::hours kForEver{24 * 366 * 100};  // later is never; and nothing overflows
  for (std::chrono::milliseconds* const time :
       {&options.metrics_interval, &options.span_batches.delay, &options.span_batches.give_up_after,
        &options.log_batches.delay, &options.log_batches.give_up_after})
    *time = std::min<std::chrono::milliseconds>(*time, kForEver);
  if (options.clock == nullptr || !options.random)
    refuse_option("ExporterOptions::clock and random must not be null");
  return options;
}

/// The thread takes no signals: they are for the application's threads.
template <class Run>
std::thread start_without_signals(Run run) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  std::thread thread;
  try {
    thread = std::thread(std::move(run));
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return thread;
  throw Error(ErrorCode::NoThreads,
              "the system gives no thread to the exporter (" + std::generic_category().message(error) +
                  "): raise its limit of processes or memory (ulimit -u, ulimit -v, pids.max of the "
                  "container), or set no endpoint");
}

}  // namespace

bool is_exporting_thread() noexcept { return exporting_thread; }

class Exporter::Core {
 public:
  explicit Core(ExporterOptions options);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() = default;

  [[nodiscard]] bool forked() const noexcept { return detail::fork_generation() != generation_; }
  [[nodiscard]] ExceptionSignal exceptions() const noexcept { return options_.exceptions; }
  [[nodiscard]] const Lane* lane(ExportSignal signal) const noexcept {
    return lanes_[static_cast<std::size_t>(signal)].get();
  }
  template <class Item>
  void add(Item&& item) noexcept;
  void add_lost(ExportSignal signal) noexcept;
  bool flush(std::chrono::milliseconds deadline);
  bool stop(std::chrono::milliseconds deadline);

 private:
  /// A thread that waits for the exporter's; a list of them.
  struct Waiter {
    Signal signal;
    Waiter* next = nullptr;
  };

  [[nodiscard]] std::unique_ptr<ItemQueue<SpanData>>& queue_of(const SpanData&) noexcept { return spans_; }
  [[nodiscard]] std::unique_ptr<ItemQueue<LogData>>& queue_of(const LogData&) noexcept { return logs_; }
  void make_lanes();
  void set_lane(ExportSignal signal, const char* name, const Endpoint& endpoint, BatchSource& source,
                std::chrono::milliseconds give_up_after);

  void run() noexcept;
  /// Does what is due; whether it was anything.
  bool work(Instant now);
  [[nodiscard]] bool is_finished(Instant now) const;
  [[nodiscard]] Instant next_due() const;
  void wake_waiters();
  /// False at the deadline.
  template <class Done>
  [[nodiscard]] bool wait_until(Instant deadline, const Done& is_done);

  const ExporterOptions options_;
  const std::uint64_t generation_;
  HttpClient http_;
  std::unique_ptr<ItemQueue<SpanData>> spans_;
  std::unique_ptr<ItemQueue<LogData>> logs_;
  std::unique_ptr<MetricReadings> metrics_;
  std::array<std::unique_ptr<Lane>, 3> lanes_;
  Signal due_;
  std::atomic<Instant> stop_at_{Instant::max()};
  std::atomic<bool> ended_{false};
  detail::Mutex waiters_mutex_;
  Waiter* waiters_ TIDINGS_GUARDED_BY(waiters_mutex_) = nullptr;
  detail::Mutex stop_mutex_;  // held while the thread is ended
  std::thread thread_ TIDINGS_GUARDED_BY(stop_mutex_);
};

Exporter::Core::Core(ExporterOptions options)
    : options_(std::move(options)), generation_((detail::watch_forks(), detail::fork_generation())) {
  make_lanes();
  const detail::MutexLock lock(stop_mutex_);
  thread_ = start_without_signals([this] { run(); });
}

void Exporter::Core::make_lanes() {
  Clock& clock = *options_.clock;
  if (!options_.traces.url.empty()) {
    spans_ = std::make_unique<ItemQueue<SpanData>>(options_.span_batches, options_.traces, options_.resource,
                                                   encode_spans, clock);
    set_lane(ExportSignal::Traces, "traces", options_.traces, *spans_, options_.span_batches.give_up_after);
  }
  if (!options_.logs.url.empty()) {
    logs_ = std::make_unique<ItemQueue<LogData>>(options_.log_batches, options_.logs, options_.resource,
                                                 encode_logs, clock);
    set_lane(ExportSignal::Logs, "logs", options_.logs, *logs_, options_.log_batches.give_up_after);
  }
  if (!options_.metrics.url.empty() && options_.collect_metrics) {
    metrics_ = std::make_unique<MetricReadings>(options_);
    set_lane(ExportSignal::Metrics, "metrics", options_.metrics, *metrics_, options_.metrics_interval);
  }
}

void Exporter::Core::set_lane(ExportSignal signal, const char* name, const Endpoint& endpoint,
                              BatchSource& source, std::chrono::milliseconds give_up_after) {
  lanes_[static_cast<std::size_t>(signal)] =
      std::make_unique<Lane>(name, LaneSetup{http_, options_}, endpoint, source, give_up_after);
}

template <class Item>
void Exporter::Core::add(Item&& item) noexcept {
  const auto& queue = queue_of(item);
  if (queue != nullptr && !forked() && queue->add(std::forward<Item>(item))) due_.raise();
}

void Exporter::Core::add_lost(ExportSignal signal) noexcept {
  if (forked()) return;
  if (signal == ExportSignal::Traces && spans_ != nullptr) spans_->refuse();
  if (signal == ExportSignal::Logs && logs_ != nullptr) logs_->refuse();
}

template <class Done>
bool Exporter::Core::wait_until(Instant deadline, const Done& is_done) {
  Waiter self;
  {
    const detail::MutexLock lock(waiters_mutex_);
    self.next = std::exchange(waiters_, &self);
  }
  Clock& clock = *options_.clock;
  while (!is_done() && clock.monotonic_now() < deadline) clock.wait_until(self.signal, deadline);
  const detail::MutexLock lock(waiters_mutex_);
  Waiter** place = &waiters_;
  while (*place != &self) place = &(*place)->next;
  *place = self.next;
  return is_done();
}

bool Exporter::Core::flush(std::chrono::milliseconds deadline) {
  if (forked() || ended_.load()) return true;
  const Instant end = options_.clock->monotonic_now() + detail::bounded(deadline);
  std::array<std::uint64_t, 3> targets{};
  for (std::size_t i = 0; i < lanes_.size(); ++i) targets[i] = lanes_[i] ? lanes_[i]->hurry() : 0;
  due_.raise();
  return wait_until(end, [&] {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i] && lanes_[i]->resolved() < targets[i]) return false;
    }
    return true;
  });
}

bool Exporter::Core::stop(std::chrono::milliseconds deadline) {
  if (forked()) return true;
  const detail::MutexLock lock(stop_mutex_);
  if (!thread_.joinable()) return true;
  const auto lost = [this] {
    std::uint64_t sum = 0;
    for (const auto& lane : lanes_) sum += lane ? lane->lost() : 0;
    return sum;
  };
  const std::uint64_t lost_before = lost();
  const Instant end = options_.clock->monotonic_now() + detail::bounded(deadline);
  for (const auto& lane : lanes_) {
    if (lane) lane->hurry();
  }
  stop_at_.store(end);
  due_.raise();
  if (!wait_until(end, [this] { return ended_.load(); })) http_.cancel();
  thread_.join();
  return lost() == lost_before;
}

void Exporter::Core::run() noexcept {
  exporting_thread = true;
  Clock& clock = *options_.clock;
  for (Instant now = clock.monotonic_now(); !is_finished(now); now = clock.monotonic_now()) {
    if (work(now)) {
      wake_waiters();
    } else {
      clock.wait_until(due_, next_due());
    }
  }
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    lane->abandon();
    lane->tell();
  }
  ended_.store(true);
  wake_waiters();
}

bool Exporter::Core::work(Instant now) {
  bool worked = false;
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    if (lane->work_due() <= now) {
      lane->work();
      worked = true;
    }
    if (lane->tell_due() <= now) lane->tell();
  }
  return worked;
}

bool Exporter::Core::is_finished(Instant now) const {
  const Instant end = stop_at_.load();
  if (end == Instant::max()) return false;
  return now >= end || std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
           return !lane || !lane->is_hurried() || lane->work_due() >= end;
         });
}

Instant Exporter::Core::next_due() const {
  Instant next = std::min(stop_at_.load(), options_.clock->monotonic_now() + kIdle);
  for (const auto& lane : lanes_) {
    if (lane) next = std::min({next, lane->work_due(), lane->tell_due()});
  }
  return next;
}

void Exporter::Core::wake_waiters() {
  const detail::MutexLock lock(waiters_mutex_);
  for (Waiter* waiter = waiters_; waiter != nullptr; waiter = waiter->next) waiter->signal.raise();
}

Exporter::Exporter(ExporterOptions options) {
  options = checked(std::move(options));
  for (const SettingProblem& problem : options.problems)
    options.logger.warning("telemetry_setting_ignored", {{"variable", problem.variable},
                                                         {"problem", problem.problem},
                                                         {"used_instead", problem.used_instead}});
  const bool any = !options.traces.url.empty() || !options.logs.url.empty() ||
                   (!options.metrics.url.empty() && options.collect_metrics);
  if (any) core_ = std::make_unique<Core>(std::move(options));
}

Exporter::~Exporter() {
  stop(kStopDeadline);
  // A child has neither the thread nor a connection of its own, and leaves those of its parent alone.
  if (core_ != nullptr && core_->forked()) static_cast<void>(core_.release());
}

bool Exporter::exports(ExportSignal signal) const noexcept {
  return core_ != nullptr && core_->lane(signal) != nullptr;
}

ExceptionSignal Exporter::exceptions() const noexcept {
  return exports(ExportSignal::Logs) ? core_->exceptions() : ExceptionSignal::SpanEvents;
}

void Exporter::add(SpanData span) noexcept {
  if (core_ != nullptr) core_->add(std::move(span));
}

void Exporter::add(LogData log) noexcept {
  if (core_ != nullptr) core_->add(std::move(log));
}

void Exporter::add_lost(ExportSignal signal) noexcept {
  if (core_ != nullptr) core_->add_lost(signal);
}

bool Exporter::flush(std::chrono::milliseconds deadline) noexcept {
  return core_ == nullptr || core_->flush(deadline);
}

bool Exporter::stop(std::chrono::milliseconds deadline) noexcept {
  return core_ == nullptr || core_->stop(deadline);
}

std::uint64_t Exporter::sent(ExportSignal signal) const noexcept {
  const Lane* const lane = core_ != nullptr ? core_->lane(signal) : nullptr;
  return lane != nullptr ? lane->sent() : 0;
}

std::uint64_t Exporter::dropped(ExportSignal signal) const noexcept {
  const Lane* const lane = core_ != nullptr ? core_->lane(signal) : nullptr;
  return lane != nullptr ? lane->lost() : 0;
}

std::uint64_t Exporter::dropped() const noexcept {
  return dropped(ExportSignal::Traces) + dropped(ExportSignal::Logs) + dropped(ExportSignal::Metrics);
}

}  // namespace tidings::telemetry
