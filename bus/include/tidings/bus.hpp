#pragma once

#include <tidings/clock.hpp>
#include <tidings/context.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/ids.hpp>
#include <tidings/journal.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/logging/error_description.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/observer.hpp>
#include <tidings/redrive.hpp>
#include <tidings/retry.hpp>
#include <tidings/subscription.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tidings {

struct CloudEvent;
struct Metrics;

/// What happens to an event that has no subscriber.
enum class Unhandled : std::uint8_t {
  Ignore,
  Warn,        ///< Logs `event_unhandled`, once per type.
  DeadLetter,  ///< Stores it as a letter with reason `unhandled` and an empty handler name.
};

/// On whose thread a handler's first attempt runs.
enum class Dispatch : std::uint8_t {
  Inline,  ///< On the publishing thread, before publish returns. The handler must allow concurrent calls.
  Queued,  ///< On a worker of the bus.
};

/// What publish does when a queue has no room.
enum class WhenFull : std::uint8_t {
  Block,  ///< Waits for room; on a worker of the bus it throws instead.
  Throw,  ///< Throws Error(QueueFull).
};

/// What happens to later deliveries of an ordering key after one of that key has died.
enum class AfterDeath : std::uint8_t {
  Continue,  ///< They are delivered.
  Park,      ///< They become letters with reason `parked`, behind the dead one, also after a restart.
};

/// How one handler is served. `E` is the event type (Json for subscriptions by type name).
template <class E>
struct SubscribeOptions {
  Dispatch dispatch = Dispatch::Inline;
  RetryPolicy retry = {};
  /// At most this many runs at once on workers. With 1, first attempts run in the order of publishing.
  std::size_t concurrency = 1;
  /// Deliveries that may be queued, waiting for a retry, or running; at least 1. For an inline handler: those
  /// waiting for a retry.
  std::size_t queue_capacity = 65'536;
  WhenFull when_full = WhenFull::Block;
  /// Queued only. Deliveries with the same key run one after the other in the order of publishing, whatever
  /// the concurrency and through retries. Runs on the publishing thread; if it throws, publish throws that.
  std::function<std::string(const E&)> ordering_key = {};
  AfterDeath after_death = AfterDeath::Continue;
  /// Log `handler_slow` when an attempt takes longer. Costs a clock read per attempt of an inline handler.
  std::optional<std::chrono::milliseconds> slow_threshold = std::nullopt;
};

/// Options of one publish. Views need to be valid only until publish returns.
struct PublishOptions {
  /// 1 to 128 visible ASCII characters; empty: inherit, else the event's own id.
  std::string_view correlation_id = {};
  /// URI-reference; empty: the bus's.
  std::string_view source = {};
  /// The id that another system, named by `source`, gave to this event: see is_foreign_id(). Empty: none. The
  /// event keeps it beside its own (Metadata::foreign_id). A durable publish is de-duplicated by the pair of
  /// both, exactly as by an idempotency_key, unless there is one: then that alone counts. Other publishes are
  /// not de-duplicated.
  std::string_view foreign_id = {};
  /// Added to those of the current context, and over them.
  ContextFields fields = {};
  /// Not set: inherit.
  std::optional<TraceParent> traceparent = std::nullopt;
  /// Ignored without traceparent; a list that is too long loses whole members, see limited_tracestate.
  std::string_view tracestate = {};
  /// Not set: the bus's.
  std::optional<Durability> durability = std::nullopt;
  /// 1 to 128 visible ASCII characters; empty: none. Only for durable publishes: others throw NoJournal. A
  /// publish with a key that the same source used within BusOptions::idempotency_window is accepted, but not
  /// delivered again: PublishResult::duplicate.
  std::string_view idempotency_key = {};
  /// How many attempts each delivery of this event has at most, at least 1: in the place of
  /// RetryPolicy::max_attempts, be it more or less, of every handler; what else the policy says holds. It is
  /// kept in queues, retries that wait, and the journal. Events that a handler publishes do not inherit it,
  /// and a redrive, which is one attempt, knows nothing of it. Not set: each handler's own.
  std::optional<std::uint32_t> max_attempts = std::nullopt;
};

/// The default options. A constant, since making them for each call would be a large share of the cost of a
/// publish.
inline constinit const PublishOptions kNoPublishOptions{};

/// What happened to a published event so far. handled + scheduled + dead is the number of its deliveries.
struct PublishResult {
  EventId event_id;
  CorrelationId correlation_id;
  std::uint32_t handled = 0;
  /// Queued, in the journal, waiting for a retry, or waiting for the database to take its letter.
  std::uint32_t scheduled = 0;
  /// Given up, and the letter is committed (or in the spill file, which the log says).
  std::uint32_t dead = 0;
  /// The idempotency key or the foreign id was used before: nothing was delivered, and event_id is that of
  /// the event that was.
  bool duplicate = false;
};

/// What a bus tells of itself beside records and letters.
struct BusTelemetry {
  /// Counts deliveries for Bus::metrics(). A store that keeps minutes (tidings::deadletter::Store) has them
  /// counted anyway. Costs at most 4 ns a publish and 2 ns a handler.
  bool metrics = false;
  /// Is told what the bus does, for traces: <tidings/observer.hpp>. Null: nobody is.
  std::shared_ptr<Observer> observer = nullptr;
};

struct BusOptions {
  /// Stable name of the service: part of every handler's identity.
  std::string service;
  /// CloudEvents `source` of its events; empty: the service.
  std::string source = {};
  /// Where dead letters are stored. Without a store they are logged at error level, without their payload,
  /// and lost.
  std::shared_ptr<LetterSink> store = nullptr;
  /// What events survive unless a publish says otherwise. Above None the bus owns the store's journal.
  Durability durability = Durability::None;
  /// How long the constructor waits for another bus to release the journal (rolling restarts).
  std::chrono::milliseconds owner_wait = std::chrono::milliseconds(0);
  /// A delivery becomes a letter when the process has died this many times while that delivery alone was
  /// running; at least 1.
  std::uint32_t max_crashes = 3;
  /// How long an idempotency key is remembered, from its first use on; positive. Wall clocks that are set
  /// while the bus runs do not shorten it.
  std::chrono::hours idempotency_window = std::chrono::hours(24 * 7);
  logging::Logger logger = {};
  BusTelemetry telemetry = BusTelemetry();  // with {} GCC 12 warns, without reason, where options are made
  /// Threads for queued handlers and delayed retries; 1 to 65,536. The constructor throws Error(NoThreads) if
  /// the system cannot create them.
  std::size_t workers = 2;
  Unhandled unhandled = Unhandled::Warn;
  /// Longest chain of events causing events; at least 1.
  std::uint32_t max_causation_depth = 64;
  /// How long the destructor, and a subscription's reset, wait for queued deliveries.
  std::chrono::milliseconds stop_deadline = std::chrono::seconds(10);
  std::shared_ptr<Clock> clock = system_clock();
  /// Ids of events, and the random numbers of jitter.
  std::shared_ptr<IdSource> ids = uuid_v7_source();
};

/// One handler's load at one moment.
struct HandlerSnapshot {
  std::string event_type;
  std::string handler;
  std::size_t queued = 0;
  std::size_t waiting = 0;  ///< For a delayed retry, or behind one of the same ordering key.
  std::size_t running = 0;
  /// What the journal owes the handler, whether memory holds it or not; see Snapshot::owed_to_nobody.
  std::uint64_t owed = 0;
};

struct Snapshot {
  bool accepting = true;
  std::size_t letters_pending = 0;  ///< Given up, not yet committed.
  std::vector<HandlerSnapshot> handlers;
  /// Durable deliveries that the journal owes to handlers that this bus does not have. All counts of owed
  /// deliveries are read from the journal when the snapshot is taken; if it has more than 10,000 events, the
  /// first 10,000 are counted.
  std::uint64_t owed_to_nobody = 0;
  /// Why the journal cannot be read; the counts of owed deliveries are then unknown. Empty if it can be read,
  /// or if there is none.
  std::string journal_problem;
};

/// How a stop ended.
struct StopReport {
  /// No delivery of this bus's handlers was left over and none is running any more.
  bool drained = true;
  std::size_t settled_as_letters = 0;
  /// Durable deliveries of this bus's handlers that the journal owes to the next start, those that still run
  /// included. Read from the journal, and counted as in Snapshot::owed_to_nobody.
  std::uint64_t left_in_journal = 0;
  /// The same for handlers that this bus does not have.
  std::uint64_t owed_to_nobody = 0;
  /// Why the journal cannot be read; the counts of owed deliveries are then unknown. Empty if it can be read,
  /// or if there is none.
  std::string journal_problem;
  /// `event_type/handler` of each run that had not returned at the deadline. The destructor waits for them.
  std::vector<std::string> still_running;
};

class Bus;

namespace detail {
class BusCore;

/// Whether it is a Permanent; false for a null pointer.
[[nodiscard]] bool is_permanent(const std::exception_ptr& error);
[[nodiscard]] inline bool is_permanent(const std::exception& error) noexcept {
  return dynamic_cast<const Permanent*>(&error) != nullptr;
}

/// Publishes in a transaction that the caller has open, as tidings::deadletter::publish_in says.
PublishResult publish_in(Bus& bus, JournalTransaction& transaction, const Payload& payload,
                         const PublishOptions& options);

/// The subscription of one handler, types erased.
struct SubscriberSpec {
  std::string event_type;
  std::string handler;
  HandlerFunction function;
  const PayloadType* payload_type;
  bool wildcard = false;
  /// That of the handler's struct; 0 for a handler that takes JSON of any version.
  int schema_version = 0;
  SubscribeOptions<void*> options;
  std::function<std::string(const void*)> ordering_key;
};

/// A process-wide number for each event type name, small and dense.
[[nodiscard]] std::size_t event_type_slot(std::string_view event_type);

template <class E>
[[nodiscard]] std::size_t slot_of() {
  static const std::size_t slot = event_type_slot(E::event_type);
  return slot;
}

/// The latest schema version that handlers of E know; 0: any.
template <class E>
[[nodiscard]] constexpr int known_version() noexcept {
  if constexpr (std::is_same_v<E, Json>) {
    return 0;
  } else {
    return schema_version_of<E>();
  }
}

template <class E, class F>
[[nodiscard]] SubscriberSpec make_spec(std::string_view event_type, std::string_view handler, F function,
                                       SubscribeOptions<E> options) {
  static_assert(std::is_invocable_v<F&, const E&> || std::is_invocable_v<F&, const E&, const EventContext&>,
                "tidings: a handler takes (const E&) or (const E&, const tidings::EventContext&)");
  static_assert(
      returns_nothing<E, F>(),
      "tidings: a handler returns void: nobody looks at a bool, an error code or a future; throw to say "
      "that it failed, and wait in it for what it has started");
  SubscriberSpec spec{.event_type = std::string(event_type),
                      .handler = std::string(handler),
                      .function = HandlerFunction::make<E>(std::move(function)),
                      .payload_type = &kPayloadType<E>,
                      .schema_version = known_version<E>(),
                      .options = {.dispatch = options.dispatch,
                                  .retry = std::move(options.retry),
                                  .concurrency = options.concurrency,
                                  .queue_capacity = options.queue_capacity,
                                  .when_full = options.when_full,
                                  .after_death = options.after_death,
                                  .slow_threshold = options.slow_threshold},
                      .ordering_key = {}};
  if (options.ordering_key) {
    spec.ordering_key = [extract = std::move(options.ordering_key)](const void* event) {
      return extract(*static_cast<const E*>(event));
    };
  }
  return spec;
}
}  // namespace detail

/// An in-process domain event bus.
///
/// publish() stamps an event and delivers it to every current subscriber of its type, in order of
/// subscription. One handler's failure never hides, repeats or delays another's. A delivery whose handler
/// throws is retried by its RetryPolicy; a delivery that still fails becomes a dead letter in
/// `BusOptions::store`.
///
/// Every member may be called from any number of threads at once, and from inside handlers, except where
/// noted. A change of the subscribers takes effect with the next publish. The bus must outlive the calls made
/// on it; Subscriptions may outlive the bus. In a forked child every call throws Error(ForkedChild), and so
/// does a publish whose handler forked and lets the child return; on a worker such a child ends with status
/// 70.
///
/// Events wait as objects of their C++ type: code that is unloaded (dlclose) must have no events and no
/// handlers on the bus any more. Stop its publishing, reset its subscriptions, and wait until wait_idle
/// returns true.
class Bus {
 public:
  /// Starts the workers and the housekeeping thread, and logs `bus_started`. Throws Error(InvalidArgument).
  explicit Bus(BusOptions options);
  /// Stops with the default deadline, then waits for handlers that still run, logging `waiting_for_handler`.
  /// Must not be destroyed by one of its own handlers, which would wait for itself.
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// Publishes a struct. Never throws because a handler failed. Throws Error when the event was not accepted,
  /// and then nothing was delivered: InvalidArgument (options), QueueFull, BusStopped, ForkedChild; a durable
  /// publish also NoJournal, NotEncodable, DatabaseBusy, DatabaseUnusable and InDoubt. A durable publish
  /// never waits for room and is never refused because a queue is full: a delivery that finds its queue full
  /// waits in the journal.
  template <class E>
  requires(!std::convertible_to<const E&, std::string_view>) PublishResult
      publish(const E& event, const PublishOptions& options = kNoPublishOptions) {
    require_event<E>();
    return publish_payload({&event, &detail::kPayloadType<E>, E::event_type, schema_version_of<E>()},
                           detail::slot_of<E>(), options);
  }

  /// Publishes several events of one type, in a std::vector or anything else that converts to a std::span, in
  /// their order. Durable ones are committed together, and either all are accepted or, when it throws, none;
  /// others are published one after the other. An idempotency_key and a foreign_id are for one event. Throws
  /// as publish does.
  template <class Events>
  std::vector<PublishResult> publish_batch(const Events& events, const PublishOptions& options = {}) {
    const std::span batch(events);
    using E = std::remove_cv_t<typename decltype(batch)::element_type>;
    require_event<E>();
    std::vector<detail::Payload> payloads;
    payloads.reserve(batch.size());
    for (const E& event : batch) {
      payloads.push_back({&event, &detail::kPayloadType<E>, E::event_type, schema_version_of<E>()});
    }
    return publish_payloads(payloads, detail::slot_of<E>(), options);
  }

  /// Publishes JSON under a type name, as bridges and redrives do. Handlers of structs get it decoded; if it
  /// does not fit the struct, the delivery becomes a letter with reason `undecodable`. Throws as above, and
  /// Error(InvalidArgument) for a bad type name, a schema_version below 1, or data nested deeper than
  /// kMaxJsonDepth.
  PublishResult publish(std::string_view event_type, const Json& data,
                        const PublishOptions& options = kNoPublishOptions, int schema_version = 1);

  /// Publishes an event that came from outside (<tidings/cloudevents.hpp>) under its type name. It gets an id
  /// of tidings' own and a new time, and keeps its `source` and `id` (PublishOptions::foreign_id), by which a
  /// durable publish recognises a repeat; its correlation and causation ids, its trace and its fields are
  /// inherited over those of the current context. `options` override what the event says. Binary
  /// data becomes a binary value of JSON, absent data null; subject, datacontenttype and dataschema are not
  /// kept. Throws as above, and Error(InvalidArgument) for an id, a source or an extension that breaks the
  /// narrower rules of PublishOptions.
  PublishResult publish(const CloudEvent& event, const PublishOptions& options = kNoPublishOptions);

  /// Subscribes a handler of a struct under a name that is stable across releases and unique for this type on
  /// this bus. The handler returns void; it has failed when it throws. It must not end its thread
  /// (pthread_exit, a cancellation): docs/semantics.md says what happens then. Throws Error: InvalidArgument,
  /// DuplicateHandler, BusStopped, ForkedChild; with an ordering_key or AfterDeath::Park also DatabaseBusy
  /// and DatabaseUnusable.
  template <class E, class F>
  Subscription subscribe(std::string_view handler, F function, SubscribeOptions<E> options = {}) {
    require_event<E>();
    return subscribe_spec(
        detail::make_spec<E>(E::event_type, handler, std::move(function), std::move(options)));
  }

  /// Subscribes by type name: the handler takes `(const Json&)` or `(const Json&, const EventContext&)`.
  template <class F>
  Subscription subscribe(std::string_view event_type, std::string_view handler, F function,
                         SubscribeOptions<Json> options = {}) {
    return subscribe_spec(
        detail::make_spec<Json>(event_type, handler, std::move(function), std::move(options)));
  }

  /// Subscribes to every event, as JSON, after the type's own handlers.
  template <class F>
  Subscription subscribe_all(std::string_view handler, F function, SubscribeOptions<Json> options = {}) {
    auto spec = detail::make_spec<Json>("*", handler, std::move(function), std::move(options));
    spec.wildcard = true;
    return subscribe_spec(std::move(spec));
  }

  /// Registers an upcaster: a step that turns stored data of E with schema version `from_version` into data
  /// of the next version. Steps are chained. They run on a worker, before a dead letter of an older version
  /// is decoded for its handler; a step that throws fails the attempt. Register them before subscribing. Must
  /// be callable from many threads. Throws Error(InvalidArgument): from_version is below 1, or not below E's
  /// own, or already has a step.
  template <class E, class F>
  void upcast(int from_version, F step) {
    require_event<E>();
    add_upcaster(E::event_type, from_version, schema_version_of<E>(), std::move(step));
  }
  /// The same by type name, also for steps that lead beyond the version of any struct.
  template <class F>
  void upcast(std::string_view event_type, int from_version, F step) {
    add_upcaster(event_type, from_version, 0, std::move(step));
  }

  /// Makes a letter by hand, of an event that is not published and an error: for work that failed outside of
  /// a delivery, as in a timer, a request, or a stage behind a handler. `handler` is one of this service,
  /// subscribed here or not: `dead-letters retry` delivers the letter to it, and to no other.
  ///
  /// The letter is as any other. The event is stamped as by publish, with the current context and `options`
  /// (durability and max_attempts mean nothing here; an idempotency_key is refused); the payload is kept as
  /// its type asks for, and the error text is redacted. Its one attempt has the error's `error_code`, and the
  /// reason is `permanent` for a Permanent, else `exhausted`. It has no ordering key. It is logged, counted
  /// and, if the database fails, spilled like the letter of a delivery.
  ///
  /// Returns when the letter is committed (PublishResult::dead is 1), or waits for a busy database or for the
  /// transaction of the handler that calls (`scheduled` is 1). Throws Error: InvalidArgument (the handler's
  /// name, no error, the options; or the bus has no store), BusStopped, ForkedChild.
  template <class E>
  PublishResult store_dead_letter(std::string_view handler, const E& event, const std::exception_ptr& error,
                                  const PublishOptions& options = kNoPublishOptions) {
    require_event<E>();
    return store_letter({&event, &detail::kPayloadType<E>, E::event_type, schema_version_of<E>()}, handler,
                        logging::describe_error(error), detail::is_permanent(error), options);
  }
  template <class E>
  PublishResult store_dead_letter(std::string_view handler, const E& event, const std::exception& error,
                                  const PublishOptions& options = kNoPublishOptions) {
    require_event<E>();
    return store_letter({&event, &detail::kPayloadType<E>, E::event_type, schema_version_of<E>()}, handler,
                        logging::describe_error(error), detail::is_permanent(error), options);
  }
  /// The same for JSON under a type name. Throws as above, and as publish does.
  PublishResult store_dead_letter(std::string_view handler, std::string_view event_type, const Json& data,
                                  const std::exception_ptr& error,
                                  const PublishOptions& options = kNoPublishOptions, int schema_version = 1);

  /// Requests that unresolved letters of this service are delivered again: to the handler that failed, once
  /// each, on workers, with their original metadata. A letter whose handler returns is resolved; any other
  /// keeps the attempt in its history. Letters of handlers that this bus does not have wait for a bus that
  /// does. Returns once they are marked; an empty filter selects all. docs/semantics.md says what is
  /// guaranteed. Throws Error: InvalidArgument (options; or the store cannot redrive), BusStopped,
  /// ForkedChild, DatabaseBusy, DatabaseUnusable.
  RedriveRequest redrive(const LetterFilter& filter, const RedriveOptions& options = {});

  /// Checks at once whether transactions in which events were published have been committed, and begins to
  /// deliver those events. Without this call they are found within half a second. Call it after the commit.
  /// Costs the caller no more than waking a thread. Does nothing on a bus without durability or one that has
  /// stopped.
  void notify();

  /// Stops accepting, wakes blocked publishers (they throw BusStopped), drains queues, and turns what is left
  /// at the deadline into letters with reason `shutdown`. Returns at the deadline at the latest, plus the
  /// time that storing takes. A second call waits for the runs that the first left. Throws
  /// Error(CalledInHandler) inside a handler.
  StopReport stop(std::chrono::milliseconds deadline);
  StopReport stop();

  /// Waits until nothing is queued, waiting for a retry, running on a worker, waiting to be stored, or being
  /// redriven, no transaction is open in which events were published, and the journal owes nothing to a
  /// subscribed handler. Returns false at the timeout, and also if the journal cannot be read, since it may
  /// owe something. Inline handlers of other threads are waited for only while they handle a durable event.
  /// Throws Error(CalledInHandler) inside a handler.
  [[nodiscard]] bool wait_idle(std::chrono::milliseconds timeout);

  /// The load at this moment. With a journal it reads the database. Thread-safe.
  [[nodiscard]] Snapshot snapshot() const;

  /// What the bus has counted since it was made, and the load at this moment: <tidings/metrics.hpp>. With a
  /// journal it reads the database. Also of a bus that has stopped. May throw std::bad_alloc, and then
  /// nothing is lost. Throws Error(ForkedChild).
  [[nodiscard]] Metrics metrics() const;

 private:
  PublishResult publish_payload(const detail::Payload& payload, std::size_t slot,
                                const PublishOptions& options);
  std::vector<PublishResult> publish_payloads(std::span<const detail::Payload> payloads, std::size_t slot,
                                              const PublishOptions& options);
  PublishResult store_letter(const detail::Payload& payload, std::string_view handler,
                             const logging::ErrorDescription& error, bool permanent,
                             const PublishOptions& options);
  Subscription subscribe_spec(detail::SubscriberSpec spec);
  void add_upcaster(std::string_view event_type, int from_version, int latest,
                    std::function<Json(Json)> step);
  friend PublishResult detail::publish_in(Bus& bus, JournalTransaction& transaction,
                                          const detail::Payload& payload, const PublishOptions& options);

  std::shared_ptr<detail::BusCore> core_;
};

}  // namespace tidings
