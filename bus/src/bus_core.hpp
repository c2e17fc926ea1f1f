#pragma once

#include "event/upcasters.hpp"
#include "ledger/group_commit.hpp"
#include "ledger/key_window.hpp"
#include "letters/bus_log.hpp"
#include "letters/file_watch.hpp"
#include "letters/letter_writer.hpp"
#include "redriving/redriver.hpp"
#include "running/attempt.hpp"
#include "running/delivery_frame.hpp"
#include "running/housekeeper.hpp"
#include "running/worker_pool.hpp"
#include "subscriptions/dispatch_guard.hpp"
#include "subscriptions/subscriber.hpp"
#include "subscriptions/topics.hpp"

#include <tidings/bus.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/journal.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace tidings::detail {

/// Whether `source` may be an event's: a URI-reference of at most 1024 characters.
[[nodiscard]] bool is_valid_source(std::string_view source) noexcept;

/// What Bus hides: the state shared by publishers, workers, the timer and Subscriptions that outlive the bus.
///
/// Nine files: bus_core.cpp (publish, and what happens inline), stamping.cpp, delivery_run.cpp (attempts and
/// retries, on whatever thread), burial.cpp (letters), redrive_run.cpp (letters delivered again),
/// lifecycle.cpp (subscribe, unsubscribe, stop, idle), and with a journal durable_publish.cpp and
/// recovery.cpp (what is read back from it) and owed_numbers.cpp. HandlerTransaction is the part of it that a
/// handler may ask for.
class BusCore : public std::enable_shared_from_this<BusCore> {
 public:
  explicit BusCore(BusOptions options);
  ~BusCore();
  BusCore(const BusCore&) = delete;
  BusCore& operator=(const BusCore&) = delete;

  void start();
  PublishResult publish(const Payload& payload, std::size_t slot, const PublishOptions& options) {
    return dispatch(payload, topics_.find(slot), options);
  }
  PublishResult publish_named(const Payload& payload, const PublishOptions& options);
  std::vector<PublishResult> publish_batch(std::span<const Payload> payloads, std::size_t slot,
                                           const PublishOptions& options);
  PublishResult publish_in(JournalTransaction& transaction, const Payload& payload,
                           const PublishOptions& options);
  void notify();
  std::shared_ptr<Subscriber> subscribe(SubscriberSpec spec);
  void unsubscribe(const std::shared_ptr<Subscriber>& subscriber) noexcept;
  void upcast(std::string_view event_type, int from_version, Upcasters::Step step) {
    upcasters_.add(event_type, from_version, std::move(step));
  }
  RedriveRequest redrive(const LetterFilter& filter, const RedriveOptions& options);
  StopReport stop(std::chrono::milliseconds deadline);
  /// What the destructor of Bus does: stops, and waits for as long as it takes.
  void shut_down() noexcept;
  bool wait_idle(std::chrono::milliseconds timeout);
  Snapshot snapshot() const;
  [[nodiscard]] std::chrono::milliseconds stop_deadline() const noexcept { return options_.stop_deadline; }

  /// Throws Error(ForkedChild) in a child of the process that made the bus.
  void require_own_process() const {
    if (forked()) [[unlikely]]
      throw_forked();
  }
  [[nodiscard]] bool forked() const noexcept { return fork_generation() != process_generation_; }

 private:
  friend class HandlerTransaction;
  friend struct EndSuspectTurn;
  using SteadyTime = std::chrono::steady_clock::time_point;

  /// What a publish has prepared for its queued subscribers before the first handler runs.
  struct QueuedPart {
    EventPointer event;
    std::vector<std::optional<std::string>> ordering_keys;  // one for each queued subscriber, or none at all
  };

  // bus_core.cpp
  [[noreturn]] static void throw_forked();
  PublishResult dispatch(const Payload& payload, const Topic& topic, const PublishOptions& options);
  PublishResult dispatch_in_memory(const Payload& payload, const Topic& topic, const PublishOptions& options);
  // stamping.cpp; fills in the result's ids
  [[nodiscard]] Metadata stamp(const PublishOptions& options, PublishResult& result) const;
  void nobody_subscribes(const Payload& payload, const Metadata& metadata, PublishResult& result);
  bool first_warning(std::string_view event_type);
  void cut_loop(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                DispatchGuard& guard, PublishResult& result);
  [[nodiscard]] bool is_plain(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                              const DispatchGuard& guard) const;
  void deliver_plainly(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                       DispatchGuard& guard, PublishResult& result);
  void deliver(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
               DispatchGuard& guard, PublishResult& result);
  void deliver_to_all(const SubscriberList& list, const Payload& payload, const Metadata& metadata,
                      DispatchGuard& guard, PublishResult& result);
  QueuedPart prepare_queued(const SubscriberList& list, PayloadForms& forms, const Metadata& metadata,
                            DispatchGuard& guard);
  std::optional<std::string> ordering_key_of(Subscriber& subscriber, PayloadForms& forms,
                                             DispatchGuard& guard);
  void reserve_places(const SubscriberList& list);
  Subscriber* try_reserve_places(const SubscriberList& list);
  void wait_or_refuse(Subscriber& full);
  void enqueue(const std::shared_ptr<Subscriber>& subscriber, EventPointer event,
               std::optional<std::string> key, PublishResult& result);
  void deliver_inline(const std::shared_ptr<Subscriber>& entry, PayloadForms& forms, DeliveryFrame& frame,
                      DispatchGuard& guard, PublishResult& result);
  void deliver_timed(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                     DeliveryFrame& frame, DispatchGuard& guard, PublishResult& result);
  void plain_failed(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                    DeliveryFrame& frame, std::unique_ptr<Failure> failure, PublishResult& result);
  void inline_refused(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                      const Metadata& metadata, PublishResult& result);
  void inline_failed(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms, DeliveryFrame& frame,
                     OwedDeliveryHandle owed, std::unique_ptr<Failure> failure, Instant began,
                     PublishResult& result);
  void enqueue_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                        PublishResult& result);
  [[noreturn]] static void throw_stopped();
  EventPointer copy_for_retry(const Payload& payload, const Metadata& metadata, DeliveryState& state);
  [[nodiscard]] bool reserve_and_retry_later(const std::shared_ptr<Subscriber>& subscriber,
                                             Delivery& delivery, std::chrono::microseconds delay);
  void not_delivered(const std::shared_ptr<Subscriber>& subscriber, const Payload& payload,
                     const Metadata& metadata, const DeliveryState* state, PublishResult& result);
  void not_delivered(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                     PublishResult& result);

  // delivery_run.cpp
  enum class End : std::uint8_t { Handled, RetryNow, RetryLater, Dead };
  struct Verdict {
    End end = End::Handled;
    std::chrono::microseconds delay{0};
    Reason reason = Reason::Exhausted;
  };
  Verdict judge(Subscriber& subscriber, const EventContext& context, DeliveryState& state,
                const Failure& failure, Instant began);
  Verdict decide(const Subscriber& subscriber, const DeliveryState& state, const Failure& failure,
                 Instant now) const;
  /// Goes on after a failed attempt for as long as attempts follow at once.
  Verdict run_on(Subscriber& subscriber, PayloadForms& forms, DeliveryFrame& frame, DeliveryState& state,
                 std::unique_ptr<Failure> failure, Instant began);
  void attempt_succeeded(const Subscriber& subscriber, const EventContext& context, Instant began) noexcept;
  /// Makes the failed attempt known to the journal, before the next one may begin.
  void record_failure(DeliveryState& state, Verdict& verdict, Timestamp failed_at, bool in_doubt);
  /// Whether the journal knows of the attempts so far.
  [[nodiscard]] bool recorded(const Delivery& delivery);
  /// False: the subscriber is closing.
  [[nodiscard]] bool retry_later(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                                 std::chrono::microseconds delay);
  void retry_is_due(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery);
  void serve(const std::shared_ptr<Subscriber>& subscriber);
  void run_delivery(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);
  Verdict run_attempts(Subscriber& subscriber, Delivery& delivery, DispatchGuard& guard);
  std::unique_ptr<Failure> run_recorded(const Subscriber& subscriber, Delivery& delivery, PayloadForms& forms,
                                        DeliveryFrame& frame);
  /// The end of a delivery's life in its queue.
  void end_delivery(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery,
                    std::optional<Reason> dead_of);
  /// Its key passes on, or is dead with all that waits behind.
  void end_key(const std::shared_ptr<Subscriber>& subscriber, const std::string& key, KeyOutcome outcome,
               Reason reason, RedriveResult::End redrive_end);
  /// The end of one that was handed back behind another of its key, or by a closing queue.
  void hand_back(const std::shared_ptr<Subscriber>& subscriber, const Delivery& delivery, Reason reason,
                 RedriveResult::End redrive_end);
  std::optional<Instant> do_duties(Instant now);

  // burial.cpp
  /// Fills in what a letter says of its error, from its last attempt or its reason.
  static void explain_letter(DeadLetter& letter);
  DeadLetter make_letter(const HandlerIdentity& identity, std::string_view event_type, StoredForm form,
                         const Metadata& metadata, Reason reason, const DeliveryState* state) const;
  /// The same of an event in memory, whose stored form is found or made.
  DeadLetter make_letter(const HandlerIdentity& identity, const Payload& payload, const Metadata& metadata,
                         Reason reason, const DeliveryState* state,
                         const StoredEvent* stored = nullptr) const;
  [[nodiscard]] StoredForm stored_form_of(const Payload& payload, const HandlerIdentity& identity,
                                          const DeliveryState* state, const StoredEvent* stored) const;
  /// What the journal has of an event that is owed to that handler; nothing if it cannot be read.
  [[nodiscard]] std::optional<StoredForm> journalled_form(const HandlerIdentity& identity,
                                                          const OwedDeliveryHandle& owed) const;
  /// Commits the letters that still wait.
  void flush_letters();
  /// Logs it, and counts what a stop settles.
  void gave_up(const DeadLetter& letter);
  /// Hands the letter over, waiting for its commit. False: the database is busy, and the letter waits for it.
  bool bury(DeadLetter letter, const OwedDeliveryHandle& owed = {});
  void keep_order_of_letters(const DeadLetter& letter, bool durable);
  void bury_soon(const Subscriber& subscriber, const Delivery& delivery, Reason reason);

  // durable_publish.cpp
  struct DurableEvent;
  /// Each made in its place, since it is not moved: a batch is one allocation.
  using DurableEvents = std::vector<std::optional<DurableEvent>>;
  std::vector<PublishResult> publish_durably(std::span<const Payload> payloads, const Topic& topic,
                                             const PublishOptions& options, Durability durability);
  void prepare_durable(std::optional<DurableEvent>& event, const SubscriberList& list, const Payload& payload,
                       const PublishOptions& options, DispatchGuard& guard);
  std::vector<AppendRequest> append_to_journal(const SubscriberList& list, DurableEvents& events,
                                               const PublishOptions& options, Durability durability,
                                               Placing& placing);
  void write_dead_letters(const SubscriberList& list, DurableEvent& event) const;
  void admit(const SubscriberList& list, DurableEvent& event, AppendRequest& request);
  bool takes_directly(Subscriber& subscriber, std::int64_t id);
  static void leave_to_journal(Subscriber& subscriber, std::int64_t id);
  std::vector<PublishResult> publish_within(JournalTransaction& transaction,
                                            std::span<const Payload> payloads, const Topic& topic,
                                            const PublishOptions& options, Durability durability);
  std::vector<PublishResult> append_within(JournalTransaction& transaction, const SubscriberList& list,
                                           DurableEvents& events, const PublishOptions& options);
  void nobody_subscribes_within(JournalTransaction& transaction, const DurableEvent& event,
                                PublishResult& result);
  void release_places(const SubscriberList& list, const DurableEvent& event);
  PublishResult queue_durably(const SubscriberList& list, DurableEvent& event, const AppendRequest& request);
  void run_durably(const SubscriberList& list, DurableEvent& event, const AppendRequest& request,
                   DispatchGuard& guard, PublishResult& result);
  void deliver_inline_durably(const std::shared_ptr<Subscriber>& subscriber, PayloadForms& forms,
                              DeliveryFrame& frame, DispatchGuard& guard, OwedDeliveryHandle owed,
                              PublishResult& result);

  // crash_suspects.cpp
  struct Suspect {
    std::int64_t journal_id = 0;
    std::string handler;
    /// Nothing up to here is still to run before it.
    std::int64_t clear_up_to = 0;
  };
  void suspect_of_crash(const CrashSuspect& suspect);
  void serve_suspects(Instant now);
  [[nodiscard]] bool serve_suspect(Suspect& suspect, const std::shared_ptr<Subscriber>& subscriber,
                                   OwedDelivery& row);
  [[nodiscard]] std::optional<OwedDelivery> owed_before(Suspect& suspect, Subscriber& subscriber,
                                                        const std::optional<std::string>& key);
  [[nodiscard]] std::optional<std::string> key_of(Subscriber& subscriber, const OwedDelivery& row);
  void run_suspect(const std::shared_ptr<Subscriber>& subscriber, OwedDelivery& row);

  // owed_numbers.cpp
  /// What the journal owes: of more than 10,000 events, of the first so many.
  struct OwedNumbers {
    std::vector<OwedTotal> totals;
    std::string problem;  // why the journal cannot be read; empty if it can
  };
  using Subscribers = std::vector<std::shared_ptr<Subscriber>>;
  [[nodiscard]] OwedNumbers owed_numbers() const;
  [[nodiscard]] std::uint64_t owed_to(const Subscriber& subscriber, const OwedNumbers& numbers) const;
  /// What is left of them when what these subscribers are owed is taken out.
  [[nodiscard]] std::vector<OwedTotal> unserved_of(std::vector<OwedTotal> totals,
                                                   const Subscribers& subscribers) const;
  [[nodiscard]] std::uint64_t owed_to_nobody(const Subscribers& subscribers,
                                             const OwedNumbers& numbers) const;
  /// Whether the journal owes anything to any of them, however much it holds.
  [[nodiscard]] bool owes_any(const Subscribers& subscribers) const;

  // recovery.cpp
  void open_journal();
  void bury_row(const OwedDelivery& row, const OwedDeliveryHandle& owed, Reason reason);
  void begin_recovery(Subscriber& subscriber);
  void end_recovery(Subscriber& subscriber);
  void leave_in_journal(const Subscriber& subscriber, const OwedDeliveryHandle& owed);
  void request_refill();
  /// Sees to transactions of others in which events were published. When to look again.
  [[nodiscard]] std::optional<Instant> look_for_commits(Instant now);
  void release_place(Subscriber& subscriber);
  void read_back(Instant now);
  void refill_backlogs();
  bool refill(const std::shared_ptr<Subscriber>& subscriber);
  bool advance(Subscriber& subscriber, std::int64_t next, bool caught_up);
  std::optional<Delivery> take_over(Subscriber& subscriber, OwedDelivery& row);
  std::optional<Delivery> take_over(Subscriber& subscriber, OwedDelivery& row,
                                    const OwedDeliveryHandle& owed);
  bool find_key_again(Subscriber& subscriber, Delivery& delivery, OwedDelivery& row);
  void schedule_recovered(const std::shared_ptr<Subscriber>& subscriber, std::span<OwedDelivery> rows);
  [[nodiscard]] std::chrono::microseconds time_to_retry(const JournalDelivery& known) const;
  void schedule_recovered(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery,
                          const JournalDelivery& known);
  std::optional<Instant> do_journal_duties(Instant now);
  std::nullopt_t leave_to_owner();
  Instant serve_journal(Instant now);
  void import_spilled(Instant now);
  void report_unserved(Instant now);

  // redrive_run.cpp
  [[nodiscard]] std::vector<ServedHandler> served_handlers() const;
  [[nodiscard]] std::shared_ptr<Subscriber> subscriber_for(const DeadLetter& letter) const;
  void deliver_claimed(ClaimedLetter letter);
  void run_redrive(const std::shared_ptr<Subscriber>& subscriber, Delivery& delivery, DispatchGuard& guard);
  [[nodiscard]] bool attempt_redrive(Subscriber& subscriber, Delivery& delivery, RedriveResult& result);
  void hold_keys(const std::shared_ptr<Subscriber>& subscriber);
  [[nodiscard]] bool refresh_keys();
  [[nodiscard]] bool refresh_keys_of(const std::shared_ptr<Subscriber>& subscriber);

  // lifecycle.cpp
  void leave(DispatchGuard& guard, Subscriber& subscriber);
  void left_closed(Subscriber& subscriber) noexcept;
  bool free_if_idle(Subscriber& subscriber) noexcept;
  bool is_freed_here(const Subscriber& subscriber) noexcept;
  void wait_until_freed(Subscriber& subscriber, std::optional<SteadyTime> deadline) noexcept;
  void close(const std::shared_ptr<Subscriber>& subscriber);
  void begin_draining(const std::shared_ptr<Subscriber>& subscriber);
  void drain(Subscriber& subscriber, SteadyTime deadline);
  void wait_for_publishers(SteadyTime deadline) const;
  /// Until nothing is being read back from the journal, which a stopped bus does not begin any more.
  void wait_for_reader(SteadyTime deadline) const;
  [[nodiscard]] bool publisher_inside() const;
  std::vector<std::string> running_handlers() const;
  StopReport stop_now(std::chrono::milliseconds deadline);
  [[nodiscard]] StopReport report_stop(const Subscribers& subscribers) const;

  const BusOptions options_;
  const std::string source_;
  const std::uint64_t process_generation_;
  // The targets of the options' pointers, read on every publish.
  Clock& clock_;
  IdSource& ids_;

  std::atomic<bool> accepting_{true};
  std::atomic<std::size_t> waiting_retries_{0};
  /// Letters with reason `shutdown` since the bus stopped accepting.
  std::atomic<std::size_t> settled_{0};
  Topics topics_;
  BusLog log_;
  LetterWriter letters_;
  Upcasters upcasters_;
  Redriver redriver_;

  // Constant after start; empty on a bus without durability.
  Journal* journal_port_ = nullptr;
  std::unique_ptr<Ledger> journal_;
  std::unique_ptr<KeyWindow> keys_;
  std::span<CrashSlot> crash_slots_;
  /// Those to whom an event is owed whose deliveries are dead from the start.
  const std::shared_ptr<const HandlerNames> nobody_ =
      std::make_shared<const HandlerNames>(std::vector<std::string>());
  /// What publishers and workers ask of the journal's reader.
  std::atomic<bool> refill_wanted_{false};
  /// The housekeeper is at it.
  std::atomic<bool> reading_back_{false};
  /// How many more times to look soon for the end of transactions, since somebody says that one has ended.
  std::atomic<int> looks_wanted_{0};
  /// Suspects of a crash come first: no other durable delivery runs meanwhile.
  std::atomic<bool> held_{false};
  std::atomic<bool> suspect_runs_{false};
  // Of the housekeeper's thread, once it runs.
  std::vector<Suspect> suspects_;
  Instant suspects_due_{};
  std::optional<Instant> unserved_due_;
  std::size_t unserved_reported_ = 0;
  Instant keys_due_{};
  Instant spill_due_{};
  std::string spill_problem_;
  FileWatch files_;

  mutable Mutex mutex_;
  Condition changed_;  // a closed subscriber's handler has returned, or its captures have been freed
  std::unordered_set<std::string> warned_types_ TIDINGS_GUARDED_BY(mutex_);
  Mutex stop_mutex_;  // one stop at a time
  bool stopped_ TIDINGS_GUARDED_BY(stop_mutex_) = false;

  // Last, so that the threads end before what they use.
  Housekeeper housekeeper_;
  WorkerPool pool_;
};

}  // namespace tidings::detail
