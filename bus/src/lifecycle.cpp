#include "bus_core.hpp"

#include <tidings/detail/longest_wait.hpp>
#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

// How subscriptions and the bus itself begin and end.

namespace tidings::detail {

namespace {

constexpr std::chrono::seconds kWarnAfter{5};
/// How often a stop looks whether the last publisher has left. Publishers pay nothing to announce that they
/// leave.
constexpr std::chrono::milliseconds kLook{1};

std::chrono::steady_clock::time_point steady_now() { return std::chrono::steady_clock::now(); }

std::chrono::steady_clock::time_point after(std::chrono::milliseconds timeout) {
  return steady_now() + bounded(timeout);
}

bool is_running(const Subscriber& subscriber) {
  return any_slot(
      [&](const HazardSlot& slot) { return slot.running.load(std::memory_order_seq_cst) == &subscriber; });
}

void require_outside_handlers(const char* what) {
  if (!inside_dispatch()) return;
  throw Error(
      ErrorCode::CalledInHandler,
      std::string(what) + " inside a handler would wait for that handler; call it from another thread");
}

}  // namespace

BusCore::BusCore(BusOptions options)
    : options_(std::move(options)),
      source_(options_.source.empty() ? options_.service : options_.source),
      process_generation_(fork_generation()),
      clock_(*options_.clock),
      ids_(*options_.ids),
      log_(options_.logger.with_service(options_.service), options_.clock),
      letters_(options_.store, log_, options_.clock, [this] { housekeeper_.wake(); }),
      redriver_(options_.store ? options_.store->redrives() : nullptr, log_, options_.clock, options_.service,
                random_bits(),
                {.served = [this] { return served_handlers(); },
                 .deliver = [this](ClaimedLetter letter) { deliver_claimed(std::move(letter)); },
                 .refresh_keys = [this] { return refresh_keys(); },
                 .wake = [this] { housekeeper_.wake(); }}),
      files_(options_.store, log_),
      housekeeper_(
          options_.clock,
          [this](const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery) {
            retry_is_due(subscriber, delivery);
          },
          [this](Instant now) { return do_duties(now); }),
      pool_(options_.workers, [this](const std::shared_ptr<Subscriber>& subscriber) { serve(subscriber); }) {}

void BusCore::throw_stopped() {
  throw Error(ErrorCode::BusStopped, "the bus is stopped and accepts no events; nothing was delivered");
}

BusCore::~BusCore() {
  // A Subscription that is reset while its bus is destroyed settles its deliveries after all others, on its
  // own thread.
  try {
    if (journal_) journal_->commits.flush_finally();
    letters_.flush_finally();
    if (journal_) journal_->commits.give_up_letters();
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
  }
  if (journal_port_ != nullptr) journal_port_->release(true);
}

void BusCore::start() {
  open_journal();
  try {
    housekeeper_.start();
    pool_.start();
  } catch (...) {
    housekeeper_.stop();  // which may be at work on the journal that the destructor gives up
    throw;
  }
  log_.started(options_);
}

void BusCore::throw_forked() {
  throw Error(
      ErrorCode::ForkedChild,
      "this bus belongs to the parent process: its threads do not exist here; make a bus after fork()");
}

std::shared_ptr<Subscriber> BusCore::subscribe(SubscriberSpec spec) {
  auto subscriber = std::make_shared<Subscriber>(std::move(spec), options_.service, weak_from_this());
  hold_keys(subscriber);
  begin_recovery(*subscriber);
  topics_.add(subscriber);
  if (journal_) request_refill();
  if (!accepting_.load()) {
    unsubscribe(subscriber);
    throw Error(ErrorCode::BusStopped, "the bus is stopped: subscribe before stop()");
  }
  redriver_.look();
  return subscriber;
}

// --- the unsubscribe guarantee: after a closed subscriber was seen running nowhere, its handler never runs
// again ---

void BusCore::leave(DispatchGuard& guard, Subscriber& subscriber) {
  if (guard.leave(subscriber)) left_closed(subscriber);
}

void BusCore::left_closed(Subscriber& subscriber) noexcept {
  free_if_idle(subscriber);
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

/// Frees the captures of a closed handler that runs nowhere. False while it runs.
bool BusCore::free_if_idle(Subscriber& subscriber) noexcept {
  fence_all_threads();
  if (is_running(subscriber)) return false;
  std::optional<Subscriber::UserCode> code;
  {
    const MutexLock lock(mutex_);
    if (subscriber.freed_by != std::thread::id()) return true;
    subscriber.freed_by = std::this_thread::get_id();
    code = subscriber.take_user_code();
  }
  code.reset();  // may run the user's destructors: no lock is held
  subscriber.freed.store(true);
  const MutexLock lock(mutex_);
  changed_.notify_all();
  return true;
}

/// Whether this thread is inside a destructor of the captures: a handler may own its own Subscription.
bool BusCore::is_freed_here(const Subscriber& subscriber) noexcept {
  const MutexLock lock(mutex_);
  return subscriber.freed_by == std::this_thread::get_id();
}

void BusCore::wait_until_freed(Subscriber& subscriber, std::optional<SteadyTime> deadline) noexcept {
  const SteadyTime began = steady_now();
  SteadyTime warn_at = began + kWarnAfter;
  free_if_idle(subscriber);
  while (!subscriber.freed.load() && !is_freed_here(subscriber)) {
    const SteadyTime now = steady_now();
    if (deadline && now >= *deadline) return;
    if (now >= warn_at) {
      log_.waiting_for_handler(subscriber.identity,
                               std::chrono::duration_cast<std::chrono::seconds>(now - began));
      warn_at += kWarnAfter;
    }
    {
      const MutexLock lock(mutex_);
      // A run that we see here will see Closed when it leaves, and notify; so does whoever frees the
      // captures.
      const bool notified_later = is_running(subscriber) || subscriber.freed_by != std::thread::id();
      if (notified_later && !subscriber.freed.load()) {
        changed_.wait_until(mutex_, deadline ? std::min(*deadline, warn_at) : warn_at);
      }
    }
    free_if_idle(subscriber);
  }
}

void BusCore::begin_draining(const std::shared_ptr<Subscriber>& subscriber) {
  SubscriberState open = SubscriberState::Open;
  subscriber->state.compare_exchange_strong(open, SubscriberState::Draining);
  end_recovery(*subscriber);
  subscriber->queue.begin_draining();
  for (Delivery& delivery : housekeeper_.take(*subscriber)) {
    subscriber->queue.count_waiting(-1);
    waiting_retries_.fetch_sub(1);
    bury_soon(*subscriber, delivery, Reason::Shutdown);
    end_delivery(subscriber, delivery, Reason::Shutdown);
  }
  for (const Delivery& delivery : subscriber->queue.give_up_resuming())
    hand_back(subscriber, delivery, Reason::Shutdown, RedriveResult::End::Returned);
}

void BusCore::drain(Subscriber& subscriber, SteadyTime deadline) {
  const SteadyTime began = steady_now();
  for (;;) {
    const SteadyTime until = std::min(deadline, steady_now() + kWarnAfter);
    if (subscriber.queue.wait_empty(until) || until == deadline) return;
    log_.waiting_for_handler(subscriber.identity,
                             std::chrono::duration_cast<std::chrono::seconds>(steady_now() - began));
  }
}

/// From here on no run begins. What is still queued becomes letters.
void BusCore::close(const std::shared_ptr<Subscriber>& subscriber) {
  subscriber->state.store(SubscriberState::Closed);
  for (const Delivery& delivery : subscriber->queue.close())
    hand_back(subscriber, delivery, Reason::Shutdown, RedriveResult::End::Returned);
}

void BusCore::unsubscribe(const std::shared_ptr<Subscriber>& subscriber) noexcept {
  if (forked() || !topics_.remove(*subscriber)) return;
  begin_draining(subscriber);
  if (inside_dispatch()) {
    close(subscriber);
    free_if_idle(*subscriber);
    return;
  }
  drain(*subscriber, after(options_.stop_deadline));
  close(subscriber);
  wait_until_freed(*subscriber, std::nullopt);
}

// --- stopping the bus ---

bool BusCore::publisher_inside() const {
  return any_slot([this](const HazardSlot& slot) {
    // In this order: a slot's bus is set before its list.
    return slot.list.load(std::memory_order_seq_cst) != nullptr &&
           slot.bus.load(std::memory_order_relaxed) == this;
  });
}

void BusCore::wait_for_publishers(SteadyTime deadline) const {
  while (publisher_inside() && steady_now() < deadline) std::this_thread::sleep_for(kLook);
}

void BusCore::wait_for_reader(SteadyTime deadline) const {
  while (reading_back_.load() && steady_now() < deadline) std::this_thread::sleep_for(kLook);
}

std::vector<std::string> BusCore::running_handlers() const {
  std::vector<std::string> names;
  for (const auto& subscriber : topics_.all()) {
    if (is_running(*subscriber))
      names.push_back(subscriber->identity.event_type + "/" + subscriber->identity.handler);
  }
  return names;
}

StopReport BusCore::stop(std::chrono::milliseconds deadline) {
  require_own_process();
  require_outside_handlers("stop()");
  if (deadline.count() < 0) throw Error(ErrorCode::InvalidArgument, "the stop deadline must not be negative");
  return stop_now(deadline);
}

StopReport BusCore::stop_now(std::chrono::milliseconds deadline) {
  const MutexLock lock(stop_mutex_);
  const SteadyTime until = after(deadline);
  accepting_.store(false);
  log_.stop_waiting();
  if (journal_) journal_->commits.stop_waiting();
  redriver_.stop();
  fence_all_threads();
  const auto subscribers = topics_.all();
  for (const auto& subscriber : subscribers) subscriber->queue.wake_publishers();
  wait_for_publishers(until);
  // Unless the deadline has passed, all that was accepted is in the queues now, and nothing follows.
  for (const auto& subscriber : subscribers) begin_draining(subscriber);
  for (const auto& subscriber : subscribers) drain(*subscriber, until);
  for (const auto& subscriber : subscribers) close(subscriber);
  for (const auto& subscriber : subscribers) wait_until_freed(*subscriber, until);
  wait_for_reader(until);  // what it has read may be a letter, or handled
  if (journal_) journal_->commits.flush_finally(until);
  letters_.flush_finally(until);
  redriver_.flush();
  log_.flush_summaries(Instant::max());
  StopReport report = patiently([&] { return report_stop(subscribers); });
  if (!std::exchange(stopped_, true)) log_.stopped(report);
  return report;
}

void BusCore::shut_down() noexcept {
  try {
    stop_now(options_.stop_deadline);
    for (const auto& subscriber : topics_.all()) wait_until_freed(*subscriber, std::nullopt);
    wait_for_publishers(SteadyTime::max());
    pool_.join();
    housekeeper_.stop();
    if (journal_) journal_->commits.flush_finally();
    letters_.flush_finally();
    redriver_.flush();
  } catch (const std::exception& error) {
    log_.housekeeping_failed(what_of(error));
  }
}

StopReport BusCore::report_stop(const Subscribers& subscribers) const {
  StopReport report;
  report.still_running = running_handlers();  // before what is owed, which includes them
  const OwedNumbers owed = owed_numbers();
  report.settled_as_letters = settled_.load();
  for (const auto& subscriber : subscribers) report.left_in_journal += owed_to(*subscriber, owed);
  report.owed_to_nobody = owed_to_nobody(subscribers, owed);
  report.journal_problem = owed.problem;
  report.drained = report.still_running.empty() && report.settled_as_letters == 0 &&
                   report.left_in_journal == 0 && owed.problem.empty() && letters_.pending() == 0;
  return report;
}

bool BusCore::wait_idle(std::chrono::milliseconds timeout) {
  require_own_process();
  require_outside_handlers("wait_idle()");
  const SteadyTime deadline = after(timeout);
  do {
    const auto subscribers = topics_.all();
    const auto reservations = [&] {
      std::uint64_t sum = 0;
      for (const auto& subscriber : subscribers) sum += subscriber->queue.reservations();
      return sum;
    };
    const std::uint64_t before = reservations();
    for (const auto& subscriber : subscribers) {
      if (!subscriber->queue.wait_empty(deadline)) return false;
    }
    // A subscription that was reset in its own handler has left the topics, and still runs.
    if (!pool_.wait_idle(deadline)) return false;
    if (journal_ && !journal_->commits.wait_until_recorded(deadline)) return false;
    if (!letters_.wait_until_kept(deadline)) return false;
    if (!redriver_.wait_idle(deadline)) return false;
    // Nothing came while we looked at one queue after the other, nor did a handler subscribe another: they
    // were all empty at once.
    const bool all_empty = std::all_of(subscribers.begin(), subscribers.end(),
                                       [](const auto& subscriber) { return subscriber->queue.empty(); });
    const bool quiet = all_empty && reservations() == before && topics_.all() == subscribers;
    if (quiet && !owes_any(subscribers)) return true;
    if (quiet) std::this_thread::sleep_for(kLook);
  } while (steady_now() < deadline);
  return false;
}

Snapshot BusCore::snapshot() const {
  require_own_process();
  Snapshot snapshot;
  snapshot.accepting = accepting_.load();
  snapshot.letters_pending = letters_.pending() + (journal_ ? journal_->commits.pending_letters() : 0);
  const OwedNumbers owed = owed_numbers();
  const Subscribers subscribers = topics_.all();
  snapshot.owed_to_nobody = owed_to_nobody(subscribers, owed);
  snapshot.journal_problem = owed.problem;
  for (const auto& subscriber : subscribers) {
    HandlerSnapshot handler{subscriber->identity.event_type, subscriber->identity.handler};
    any_slot([&](const HazardSlot& slot) {
      handler.running += slot.running.load(std::memory_order_relaxed) == subscriber.get() ? 1U : 0U;
      return false;
    });
    handler.waiting = subscriber->queue.waiting();
    const std::size_t occupied = subscriber->queue.occupied();
    const std::size_t elsewhere = handler.waiting + (subscriber->queued ? handler.running : 0);
    handler.queued = occupied > elsewhere ? occupied - elsewhere : 0;
    handler.owed = owed_to(*subscriber, owed);
    snapshot.handlers.push_back(std::move(handler));
  }
  return snapshot;
}

}  // namespace tidings::detail
