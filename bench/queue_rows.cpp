#include "check.hpp"
#include "order_placed.hpp"
#include "quiet_bus.hpp"
#include "rows.hpp"
#include "statistics.hpp"
#include "threads_at_once.hpp"
#include "worker_tally.hpp"

#include <blockingconcurrentqueue.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Handing events to other threads. A repetition is a burst that fits the queue of a subscription as it is by
// default, so that nobody waits for room: from the moment the producers begin until the last event is
// handled.

namespace tidings::bench {

namespace {

constexpr std::uint64_t kBurst = 60'000;
constexpr std::chrono::microseconds kLook{50};  // a burst takes some 10,000

/// Offers `count` events, the first with the id `first`.
template <class Offer>
void produce(std::uint64_t first, std::uint64_t count, Offer offer) {
  OrderPlaced event;
  for (std::uint64_t number = first; number < first + count; ++number) {
    event.order_id = static_cast<std::int64_t>(number);
    offer(event);
  }
}

/// Waits until `tally` has grown by `count`, asleep: both cores belong to those who are measured.
void await(const WorkerTally& tally, std::uint64_t count) {
  while (tally.total().count < count) std::this_thread::sleep_for(kLook);
}

/// Million events a second. `produce_share(producer, first, count)` is called on each producer's thread.
double millions_each_second(
    std::size_t producers, const WorkerTally& tally,
    const std::function<void(std::size_t, std::uint64_t, std::uint64_t)>& produce_share) {
  const Tally before = tally.total();
  const std::uint64_t share = kBurst / producers;
  std::chrono::steady_clock::time_point begin;
  const std::function<void(std::size_t)> work = [&](std::size_t producer) {
    if (producer == 0) begin = std::chrono::steady_clock::now();
    produce_share(producer, 1 + producer * share, share);
  };
  run_at_once(producers, work);
  await(tally, before.count + kBurst);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const Tally after = tally.total();
  require_equal(after.count - before.count, kBurst, "count of handled events");
  require_equal(after.sum - before.sum, kBurst * (kBurst + 1) / 2, "sum over handled events");
  return static_cast<double>(kBurst) / took.count() / 1e6;
}

class QueuedTidings {
 public:
  QueuedTidings(std::size_t producers, std::size_t workers)
      : producers_(producers),
        bus_(quiet_bus(workers)),
        subscription_(bus_.subscribe<OrderPlaced>("queued",
                                                  [this](const OrderPlaced& event) { tally_.handle(event); },
                                                  {.dispatch = Dispatch::Queued, .concurrency = workers})) {}

  double operator()() {
    return millions_each_second(
        producers_, tally_, [this](std::size_t, std::uint64_t first, std::uint64_t count) {
          produce(first, count, [this](const OrderPlaced& event) { bus_.publish(event); });
        });
  }

 private:
  std::size_t producers_;
  WorkerTally tally_;
  Bus bus_;
  Subscription subscription_;
};

/// Closures in moodycamel's queue, with the tokens that its documentation recommends for speed. It stamps
/// nothing, is not bounded, catches nothing, and is first-in-first-out for each producer only.
class MoodycamelWorkers {
 public:
  using Task = std::function<void()>;

  MoodycamelWorkers(std::size_t producers, std::size_t workers) : producers_(producers) {
    for (std::size_t producer = 0; producer < producers; ++producer) tokens_.emplace_back(queue_);
    for (std::size_t worker = 0; worker < workers; ++worker) threads_.emplace_back([this] { run(); });
  }
  MoodycamelWorkers(const MoodycamelWorkers&) = delete;
  MoodycamelWorkers& operator=(const MoodycamelWorkers&) = delete;
  ~MoodycamelWorkers() {
    // An empty task tells one worker to end.
    for (std::size_t worker = 0; worker < threads_.size(); ++worker) queue_.enqueue(Task());
    for (std::thread& thread : threads_) thread.join();
  }

  double operator()() {
    return millions_each_second(
        producers_, tally_, [this](std::size_t producer, std::uint64_t first, std::uint64_t count) {
          produce(first, count, [&](const OrderPlaced& event) {
            queue_.enqueue(tokens_[producer], [this, event] { tally_.handle(event); });
          });
        });
  }

 private:
  void run() {
    moodycamel::ConsumerToken token(queue_);
    Task task;
    for (;;) {
      queue_.wait_dequeue(token, task);
      if (!task) return;
      task();
      task = nullptr;
    }
  }

  std::size_t producers_;
  WorkerTally tally_;
  moodycamel::BlockingConcurrentQueue<Task> queue_;
  std::vector<moodycamel::ProducerToken> tokens_;
  std::vector<std::thread> threads_;
};

std::string row_name(std::size_t threads) {
  return threads == 1 ? "queued publish, 1 producer, 1 worker"
                      : "queued publish, " + std::to_string(threads) + " producers, " +
                            std::to_string(threads) + " workers";
}

std::vector<Row> measure(const Settings& settings, std::size_t threads) {
  QueuedTidings tidings(threads, threads);
  MoodycamelWorkers moodycamel(threads, threads);
  const auto series =
      take_turns(settings.short_rounds(), {[&] { return tidings(); }, [&] { return moodycamel(); }});
  return {
      compare(row_name(threads), "M/s", series[0], "moodycamel, std::function", series[1], at_least(1.0))};
}

}  // namespace

void add_queue_rows(std::vector<Measurement>& measurements) {
  for (const std::size_t threads : {1U, 2U}) {
    measurements.push_back(
        {{row_name(threads)}, [threads](const Settings& settings) { return measure(settings, threads); }});
  }
}

}  // namespace tidings::bench
