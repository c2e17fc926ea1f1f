#include "bus/bus_core.hpp"

#include "ending/handler_transaction.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <new>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace tidings::detail {

namespace {

constexpr std::chrono::seconds kWarnAfter{5};
/// How often wait_idle looks whether the journal owes nothing any more.
constexpr std::chrono::milliseconds kLook{1};

std::chrono::steady_clock::time_point steady_now() { return std::chrono::steady_clock::now(); }

std::chrono::steady_clock::time_point after(std::chrono::milliseconds timeout) {
  return steady_now() + bounded(timeout);
}

void require_outside_handlers(const char* what) {
  if (!inside_dispatch()) return;
  throw Error(
      ErrorCode::CalledInHandler,
      std::string(what) + " inside a handler would wait for that handler; call it from another thread");
}

std::optional<Instant> earliest(std::initializer_list<std::optional<Instant>> times) {
  std::optional<Instant> first;
  for (const auto& time : times) {
    if (time && (!first || *time < *first)) first = time;
  }
  return first;
}

void read_tally(const BusTally& tally, Metrics& metrics) noexcept {
  LetterMetrics& letters = metrics.letters;
  for (std::size_t reason = 0; reason < letters.by_reason.size(); ++reason)
    letters.by_reason[reason] = tally.letters[reason].load(std::memory_order_relaxed);
  letters.redriven = tally.redriven.load(std::memory_order_relaxed);
  letters.redrives_failed = tally.redrives_failed.load(std::memory_order_relaxed);
  metrics.duplicates = tally.duplicates.load(std::memory_order_relaxed);
}

/// Waits until no transaction of the application is open in which events were published; false at the
/// deadline. The housekeeper looks at once and again and again, whatever the bus's clock says: a manual one
/// may never be advanced.
bool wait_for_transactions(const OpenJournal& journal, Housekeeper& housekeeper,
                           std::chrono::steady_clock::time_point deadline) {
  while (journal && !journal.is_lost() && journal.ledger->awaits_transactions()) {
    if (steady_now() >= deadline) return false;
    housekeeper.wake();
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

std::size_t pending_letters(const LetterWriter& letters, const OpenJournal& journal) {
  return letters.pending() + (journal ? journal.commits->pending_letters() : 0);
}

std::optional<UnresolvedLetters> unresolved_letters(const BusOptions& options) {
  if (!options.store) return std::nullopt;
  try {
    return options.store->unresolved_letters(options.service);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The series of a subscriber, or if it has none that of all others, which is the last.
std::vector<HandlerMetrics>::iterator series_of(const HandlerSnapshot& subscriber, Metrics& metrics) {
  auto& handlers = metrics.handlers;
  if (!metrics.counted) {
    handlers.push_back({.event_type = subscriber.event_type, .handler = subscriber.handler});
    return std::prev(handlers.end());
  }
  const auto key = std::tie(subscriber.event_type, subscriber.handler);
  const auto key_of = [](const HandlerMetrics& each) { return std::tie(each.event_type, each.handler); };
  const auto others = std::prev(handlers.end());
  const auto found =
      std::lower_bound(handlers.begin(), others, key,
                       [&](const HandlerMetrics& each, const auto& wanted) { return key_of(each) < wanted; });
  return found != others && key_of(*found) == key ? found : others;
}

void add_load(const HandlerSnapshot& load, std::optional<Timestamp> oldest, Metrics& metrics) {
  const auto handler = series_of(load, metrics);
  handler->queued += load.queued;
  handler->waiting += load.waiting;
  handler->running += load.running;
  handler->owed += load.owed;
  if (oldest) handler->oldest_owed = std::min(handler->oldest_owed.value_or(*oldest), *oldest);
}

}  // namespace

BusCore::BusCore(BusOptions options)
    : setup_(std::move(options)),
      retirement_([this](const HandlerIdentity& handler, std::chrono::seconds waited) {
        letters_.log.waiting_for_handler(handler, waited);
      }),
      letters_(setup_, subscriptions_.counts, housekeeper_),
      ledger_(setup_, housekeeper_),
      redriver_(setup_.options.store ? setup_.options.store->redrives() : nullptr, letters_.log,
                setup_.options.clock, setup_.options.service, random_bits(),
                {.served = [this] { return running_.redelivery.served_handlers(); },
                 .deliver = [this](ClaimedLetter letter) { running_.redelivery.deliver(std::move(letter)); },
                 .refresh_keys = [this] { return running_.keys.refresh(); },
                 .wake = [this] { housekeeper_.wake(); }}),
      running_({setup_, subscriptions_.counts, gate_, subscriptions_.topics, payloads_.upcasters,
                payloads_.keeper, retirement_, letters_.log, letters_.observing, letters_.writer,
                ledger_.journal, ledger_.refill, redriver_, housekeeper_, pool_}),
      publisher_(running_.bus, running_.end, running_.runner),
      journal_duties_(running_.bus, ledger_.count, running_.end, running_.runner, running_.retries),
      housekeeper_(setup_.options.clock, [this](Instant now) { return do_duties(now); }),
      pool_(setup_.options.workers,
            [this](const std::shared_ptr<Subscriber>& subscriber) { running_.runner.serve(subscriber); }) {}

BusCore::~BusCore() {
  // A Subscription that is reset while its bus is destroyed settles its deliveries after all others, on its
  // own thread.
  try {
    if (ledger_.journal) ledger_.journal.commits->flush_finally();
    letters_.writer.flush_finally();
    if (ledger_.journal) ledger_.journal.commits->give_up_letters();
    letters_.minutes.flush(MinuteWatch::When::Last);
  } catch (const std::exception& error) {
    letters_.log.housekeeping_failed(what_of(error));
  }
  if (ledger_.journal.port != nullptr) ledger_.journal.port->release(true);
}

void BusCore::start() {
  if (!has_membarrier.load()) gate_.need_care(1);
  if (letters_.observing.on()) gate_.need_care(1);
  open_journal();
  try {
    housekeeper_.start();
    pool_.start();
  } catch (...) {
    housekeeper_.stop();  // it may be using the journal, which the destructor gives up
    throw;
  }
  letters_.log.started(setup_.options);
}

/// Before any thread of the bus runs.
void BusCore::open_journal() {
  if (setup_.options.durability == Durability::None) return;
  Journal& port = *setup_.options.store->journal();
  const JournalStart start = port.acquire(setup_.options.service, setup_.options.owner_wait);
  ledger_.journal.port = &port;
  ledger_.journal.crash_slots = port.crash_slots();
  gate_.need_care(1);
  auto ledger = std::make_unique<OwedLedger>(
      setup_.options.clock, [this] { housekeeper_.wake(); }, start.next_id);
  auto commits = std::make_unique<GroupCommit>(*ledger, port, letters_.writer, letters_.storage, letters_.log,
                                               letters_.observing);
  auto idempotency = std::make_unique<IdempotencyWindow>(setup_.options.idempotency_window, setup_.clock);
  // All or, when memory is short, nothing: the destructor takes a ledger for a whole journal.
  ledger_.journal.ledger = std::move(ledger);
  ledger_.journal.commits = std::move(commits);
  ledger_.journal.idempotency = std::move(idempotency);
  journal_duties_.begin(start);
}

void BusCore::upcast(std::string_view event_type, int from_version, Upcasters::Step step) {
  payloads_.upcasters.add(event_type, from_version, std::move(step));
}

void BusCore::notify() {
  setup_.require_own_process();
  if (!ledger_.journal || !gate_.is_open()) return;
  journal_duties_.look_for_transactions();
  ledger_.refill.request_quietly();
  housekeeper_.wake();
}

RedriveRequest BusCore::redrive(const LetterFilter& filter, const RedriveOptions& options) {
  HandlerTransaction::require_none_here("redrive()");
  if (!gate_.is_open()) throw Error(ErrorCode::BusStopped, "the bus is stopped: redrive before stop()");
  if (!redriver_.supported()) {
    throw Error(ErrorCode::InvalidArgument,
                "this bus has no store that letters can be redriven from: set BusOptions::store");
  }
  running_.end.flush_letters();  // Letters that still wait for their commit are meant too.
  return redriver_.request(filter, options);
}

// --- subscriptions ---

std::shared_ptr<Subscriber> BusCore::subscribe(SubscriberSpec spec) {
  using Lacks = PayloadKeeper::Lacks;
  const Lacks lacks = payloads_.keeper.remember(spec.event_type, *spec.payload_type);
  if (lacks != Lacks::Nothing && setup_.options.store)
    letters_.log.key_missing(spec.event_type, spec.handler);
  SubscriberCounts counts{&subscriptions_.counts,
                          subscriptions_.counts.subscribed(spec.event_type, spec.handler)};
  auto subscriber = std::make_shared<Subscriber>(std::move(spec), setup_.options.service, weak_from_this(),
                                                 std::move(counts));
  running_.keys.hold_keys(*subscriber);
  if (lacks == Lacks::Key) {
    subscriber->backlog.refuse();
  } else {
    journal_duties_.backlogs().begin(*subscriber);
  }
  subscriptions_.topics.add(subscriber);
  if (ledger_.journal) ledger_.refill.request();
  if (!gate_.is_open()) {
    unsubscribe(subscriber);
    throw Error(ErrorCode::BusStopped, "the bus is stopped: subscribe before stop()");
  }
  redriver_.look();
  return subscriber;
}

void BusCore::begin_draining(const std::shared_ptr<Subscriber>& subscriber) {
  SubscriberState open = SubscriberState::Open;
  subscriber->state.compare_exchange_strong(open, SubscriberState::Draining);
  journal_duties_.backlogs().end(*subscriber);
  subscriber->queue.begin_draining();
  for (const Delivery& delivery : running_.retries.take(*subscriber))
    running_.end.dead(subscriber, delivery, Reason::Shutdown);
  for (const Delivery& delivery : subscriber->queue.give_up_resuming())
    running_.end.hand_back(subscriber, delivery, Reason::Shutdown, RedriveResult::End::Returned);
}

void BusCore::drain(Subscriber& subscriber, SteadyTime deadline) {
  const SteadyTime began = steady_now();
  for (;;) {
    const SteadyTime until = std::min(deadline, steady_now() + kWarnAfter);
    if (subscriber.queue.wait_empty(until) || until == deadline) return;
    letters_.log.waiting_for_handler(subscriber.identity,
                                     std::chrono::duration_cast<std::chrono::seconds>(steady_now() - began));
  }
}

/// From here on no run begins. What is still queued stays in the journal or becomes letters.
void BusCore::close(const std::shared_ptr<Subscriber>& subscriber) {
  subscriber->state.store(SubscriberState::Closed);
  for (const Delivery& delivery : subscriber->queue.close())
    running_.end.hand_back(subscriber, delivery, Reason::Shutdown, RedriveResult::End::Returned);
}

void BusCore::unsubscribe(const std::shared_ptr<Subscriber>& subscriber) noexcept {
  if (setup_.forked()) return;
  journal_duties_.backlogs().end(
      *subscriber);  // while its name is taken: its successor reads all that was left to it
  if (!subscriptions_.topics.remove(*subscriber)) return;
  begin_draining(subscriber);
  if (inside_dispatch()) {
    close(subscriber);
    retirement_.free_if_idle(*subscriber);
    return;
  }
  drain(*subscriber, after(setup_.options.stop_deadline));
  close(subscriber);
  retirement_.wait_until_freed(*subscriber, std::nullopt);
}

// --- stopping the bus ---

std::vector<std::string> BusCore::running_handlers() const {
  std::vector<std::string> names;
  for (const auto& subscriber : subscriptions_.topics.all()) {
    if (is_running(*subscriber))
      names.push_back(subscriber->identity.event_type + "/" + subscriber->identity.handler);
  }
  return names;
}

StopReport BusCore::stop(std::chrono::milliseconds deadline) {
  setup_.require_own_process();
  require_outside_handlers("stop()");
  if (deadline.count() < 0) throw Error(ErrorCode::InvalidArgument, "the stop deadline must not be negative");
  return stop_now(deadline);
}

StopReport BusCore::stop_now(std::chrono::milliseconds deadline) {
  const MutexLock lock(stop_mutex_);
  const SteadyTime until = after(deadline);
  gate_.close();
  letters_.log.stop_waiting();
  if (ledger_.journal) ledger_.journal.commits->stop_waiting();
  redriver_.stop();
  fence_all_threads();
  const auto subscribers = subscriptions_.topics.all();
  for (const auto& subscriber : subscribers) subscriber->queue.wake_publishers();
  gate_.wait_until_empty(until);
  // Unless the deadline has passed, all that was accepted is in the queues now, and nothing follows.
  for (const auto& subscriber : subscribers) begin_draining(subscriber);
  for (const auto& subscriber : subscribers) drain(*subscriber, until);
  for (const auto& subscriber : subscribers) close(subscriber);
  for (const auto& subscriber : subscribers) retirement_.wait_until_freed(*subscriber, until);
  journal_duties_.wait_for_reader(until);  // what it has read may be a letter, or handled
  if (ledger_.journal) ledger_.journal.commits->flush_finally(until);
  letters_.writer.flush_finally(until);
  redriver_.flush();
  letters_.minutes.flush(MinuteWatch::When::Now);
  letters_.log.flush_summaries(Instant::max());
  StopReport report = patiently([&] { return report_stop(subscribers); });
  if (!std::exchange(stopped_, true)) letters_.log.stopped(report);
  return report;
}

void BusCore::shut_down() noexcept {
  try {
    stop_now(setup_.options.stop_deadline);
    for (const auto& subscriber : subscriptions_.topics.all())
      retirement_.wait_until_freed(*subscriber, std::nullopt);
    gate_.wait_until_empty(SteadyTime::max());
    pool_.join();
    housekeeper_.stop();
    if (ledger_.journal) ledger_.journal.commits->flush_finally();
    letters_.writer.flush_finally();
    redriver_.flush();
    letters_.minutes.flush(MinuteWatch::When::Now);
  } catch (const std::exception& error) {
    letters_.log.housekeeping_failed(what_of(error));
  }
}

StopReport BusCore::report_stop(const Subscribers& subscribers) const {
  StopReport report;
  report.still_running = running_handlers();  // before what is owed, which includes them
  const OwedCount::Numbers owed = ledger_.count.read();
  report.settled_as_letters = running_.end.settled();
  for (const auto& subscriber : subscribers)
    report.left_in_journal += ledger_.count.owed_to(*subscriber, owed);
  report.owed_to_nobody = ledger_.count.owed_to_nobody(subscribers, owed);
  report.journal_problem = owed.problem;
  report.drained = report.still_running.empty() && report.settled_as_letters == 0 &&
                   report.left_in_journal == 0 && owed.problem.empty() && letters_.writer.pending() == 0;
  return report;
}

// --- looking at the bus ---

/// Whether nothing is left to do, at one moment. `in_time` is cleared at the deadline.
bool BusCore::is_quiet(SteadyTime deadline, bool& in_time) {
  in_time = wait_for_transactions(ledger_.journal, housekeeper_, deadline);
  if (!in_time) return false;
  const auto subscribers = subscriptions_.topics.all();
  const auto reservations = [&] {
    std::uint64_t sum = 0;
    for (const auto& subscriber : subscribers) sum += subscriber->queue.reservations();
    return sum;
  };
  const std::uint64_t before = reservations();
  in_time = std::all_of(subscribers.begin(), subscribers.end(),
                        [&](const auto& subscriber) { return subscriber->queue.wait_empty(deadline); });
  // A subscription that was reset in its own handler has left the topics, and still runs.
  in_time = in_time && pool_.wait_idle(deadline) &&
            (!ledger_.journal || ledger_.journal.commits->wait_until_recorded(deadline)) &&
            letters_.writer.wait_until_kept(deadline) && redriver_.wait_idle(deadline);
  if (!in_time) return false;
  // Nothing came while we looked at one queue after the other, nor did a handler subscribe another: they were
  // all empty at once.
  const bool all_empty = std::all_of(subscribers.begin(), subscribers.end(),
                                     [](const auto& subscriber) { return subscriber->queue.empty(); });
  if (!all_empty || reservations() != before || subscriptions_.topics.all() != subscribers) return false;
  if (!ledger_.count.owes_any(subscribers)) return true;
  std::this_thread::sleep_for(kLook);
  return false;
}

bool BusCore::wait_idle(std::chrono::milliseconds timeout) {
  setup_.require_own_process();
  require_outside_handlers("wait_idle()");
  const SteadyTime deadline = after(timeout);
  bool in_time = true;
  do {
    if (is_quiet(deadline, in_time)) return true;
  } while (in_time && steady_now() < deadline);
  return false;
}

HandlerSnapshot BusCore::snapshot_of(const Subscriber& subscriber, std::uint64_t owed) const {
  HandlerSnapshot handler{subscriber.identity.event_type, subscriber.identity.handler};
  any_slot([&](const HazardSlot& slot) {
    handler.running += slot.running.load(std::memory_order_relaxed) == &subscriber ? 1U : 0U;
    return false;
  });
  handler.waiting = subscriber.queue.waiting();
  const std::size_t occupied = subscriber.queue.occupied();
  const std::size_t elsewhere = handler.waiting + (subscriber.queued ? handler.running : 0);
  handler.queued = occupied > elsewhere ? occupied - elsewhere : 0;
  handler.owed = owed;
  return handler;
}

Snapshot BusCore::snapshot() const {
  setup_.require_own_process();
  Snapshot snapshot;
  snapshot.accepting = gate_.is_open();
  snapshot.letters_pending = pending_letters(letters_.writer, ledger_.journal);
  const OwedCount::Numbers owed = ledger_.count.read();
  const Subscribers subscribers = subscriptions_.topics.all();
  snapshot.owed_to_nobody = ledger_.count.owed_to_nobody(subscribers, owed);
  snapshot.journal_problem = owed.problem;
  for (const auto& subscriber : subscribers)
    snapshot.handlers.push_back(snapshot_of(*subscriber, ledger_.count.owed_to(*subscriber, owed)));
  return snapshot;
}

Metrics BusCore::metrics() {
  setup_.require_own_process();
  Metrics metrics{.service = setup_.options.service,
                  .began_at = setup_.made_at,
                  .read_at = setup_.clock.now(),
                  .counted = subscriptions_.counts.on()};
  metrics.accepting = gate_.is_open();
  if (metrics.counted) subscriptions_.counts.read(metrics);
  read_tally(subscriptions_.counts.tally(), metrics);
  metrics.letters.spilled = letters_.storage.spilled.load(std::memory_order_relaxed);
  metrics.letters.unsaved = letters_.storage.unsaved.load(std::memory_order_relaxed);
  metrics.letters.pending = pending_letters(letters_.writer, ledger_.journal);
  metrics.letters.unresolved = unresolved_letters(setup_.options);
  metrics.commits = letters_.storage.commits.read();
  metrics.workers = setup_.options.workers;
  metrics.workers_busy = pool_.busy();
  const OwedCount::Numbers owed = ledger_.count.read();
  const Subscribers subscribers = subscriptions_.topics.all();
  if (ledger_.journal)
    metrics.journal = {.owed_to_nobody = ledger_.count.owed_to_nobody(subscribers, owed),
                       .problem = owed.problem};
  for (const auto& subscriber : subscribers) {
    const OwedCount::Share share = ledger_.count.share_of(*subscriber, owed);
    add_load(snapshot_of(*subscriber, share.deliveries), share.oldest, metrics);
  }
  return metrics;
}

// --- duties of the housekeeper ---

std::optional<Instant> BusCore::do_duties(Instant now) {
  running_.retries.serve_due(now);
  const auto others = do_other_duties(now);
  return earliest({others, running_.retries.next()});
}

std::optional<Instant> BusCore::do_other_duties(Instant now) {
  std::optional<Instant> journal;
  std::optional<Instant> redrive;
  try {
    redrive = redriver_.tick(now);
    journal = journal_duties_.serve(now);
    letters_.spill.tick(now);
    letters_.writer.flush_if_due(now);
    letters_.files.tick(now);
    letters_.minutes.tick(now);
    const auto summaries = letters_.log.due();
    if (summaries && *summaries <= now) letters_.log.flush_summaries(now);
  } catch (const std::bad_alloc&) {
    return now + kAgainWithoutMemory;
  } catch (const std::exception& error) {
    letters_.log.housekeeping_failed(what_of(error));
    return now + std::chrono::seconds(1);
  }
  return earliest({redrive, journal, letters_.writer.due(), letters_.minutes.due(), letters_.log.due()});
}

}  // namespace tidings::detail
