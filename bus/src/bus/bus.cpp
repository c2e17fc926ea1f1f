#include <tidings/bus.hpp>
#include <tidings/cloudevents.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/longest_wait.hpp>
#include <tidings/error.hpp>
#include <tidings/metrics.hpp>

#include "bus/bus_core.hpp"
#include "subscriptions/bus_setup.hpp"

#include <cmath>
#include <new>
#include <string>
#include <utility>

namespace tidings {

namespace {

constexpr std::size_t kMostWorkers = 65'536;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::InvalidArgument, why); }

void validate(const BusOptions& options) {
  validate_name(options.service, "service");
  if (options.workers == 0 || options.workers > kMostWorkers)
    refuse("workers must be 1 to " + std::to_string(kMostWorkers));
  if (options.max_causation_depth == 0) refuse("max_causation_depth must be at least 1");
  if (options.stop_deadline.count() < 0) refuse("stop_deadline must not be negative");
  if (!detail::is_valid_source(options.source)) {
    refuse(
        "source (by default the service) must be a URI-reference of at most 1024 characters, such as "
        "'orders' or '/shop/eu'");
  }
  if (options.owner_wait.count() < 0) refuse("owner_wait must not be negative");
  if (options.max_crashes == 0) refuse("max_crashes must be at least 1");
  if (options.idempotency_window.count() <= 0) refuse("idempotency_window must be positive");
  if (options.durability != Durability::None && (!options.store || options.store->journal() == nullptr)) {
    refuse("durability needs a store with a journal, such as tidings::deadletter::Store");
  }
  if (!options.clock || !options.ids) refuse("clock and ids must not be null");
}

void validate(const detail::SubscriberSpec& spec) {
  if (!spec.wildcard) {
    validate_name(spec.event_type, "event type");
    if (spec.event_type == "*") refuse("'*' is no event type: use subscribe_all");
  }
  validate_name(spec.handler, "handler name");
  const auto& options = spec.options;
  if (options.retry.max_attempts == 0)
    refuse("max_attempts counts the first attempt too and must be at least 1");
  if (options.retry.give_up_after && options.retry.give_up_after->count() <= 0)
    refuse("give_up_after must be positive");
  if (options.concurrency == 0) refuse("concurrency must be at least 1");
  if (options.queue_capacity == 0) refuse("queue_capacity must be at least 1");
  if (options.slow_threshold && options.slow_threshold->count() <= 0)
    refuse("slow_threshold must be positive");
  if (options.dispatch == Dispatch::Queued) return;
  if (options.concurrency != 1)
    refuse("concurrency is for queued handlers: set dispatch to Dispatch::Queued");
  if (spec.ordering_key) refuse("ordering_key is for queued handlers: set dispatch to Dispatch::Queued");
}

/// They are added to times later, which must not overflow. Nothing else bounds them.
void bound_durations(BusOptions& options) {
  options.owner_wait = detail::bounded(options.owner_wait);
  options.idempotency_window = detail::bounded(options.idempotency_window);
  options.stop_deadline = detail::bounded(options.stop_deadline);
}

void bound_durations(SubscribeOptions<void*>& options) {
  if (options.slow_threshold) options.slow_threshold = detail::bounded(*options.slow_threshold);
  if (options.retry.give_up_after)
    options.retry.give_up_after = detail::bounded(*options.retry.give_up_after);
}

void validate(std::string_view event_type, const Json& data, int schema_version) {
  validate_name(event_type, "event type");
  if (schema_version < 1) refuse("schema_version starts at 1");
  if (json_depth(data) > kMaxJsonDepth) {
    refuse("the data nests deeper than " + std::to_string(kMaxJsonDepth) + " levels; nothing was delivered");
  }
}

Json data_of(const CloudEvent& event) {
  if (event.has_binary) return Json::binary({event.binary.begin(), event.binary.end()});
  return event.data.is_discarded() ? Json(nullptr) : event.data;
}

void validate(const RedriveOptions& options) {
  if (options.canary == 0U) refuse("a canary must be at least 1 letter; leave it out for none");
  if (options.stop_after == 0U) refuse("stop_after must be at least 1 failure; leave it out for no limit");
  if (options.rate && !(*options.rate > 0 && std::isfinite(*options.rate)))
    refuse("a rate must be above 0 letters a second; leave it out for no limit");
}

}  // namespace

Bus::Bus(BusOptions options) {
  if (options.source.empty()) options.source = options.service;
  validate(options);
  bound_durations(options);
  detail::watch_forks();
  core_ = std::make_shared<detail::BusCore>(std::move(options));
  core_->start();
}

Bus::~Bus() {
  if (core_->setup().forked()) {
    // The threads that would have to be joined exist in the parent only; what they share stays theirs.
    static_cast<void>(new (std::nothrow) std::shared_ptr<detail::BusCore>(std::move(core_)));
    return;
  }
  core_->shut_down();
}

PublishResult Bus::publish(std::string_view event_type, const Json& data, const PublishOptions& options,
                           int schema_version) {
  validate(event_type, data, schema_version);
  return core_->publish_named({&data, &detail::kPayloadType<Json>, event_type, schema_version}, options);
}

PublishResult Bus::publish(const CloudEvent& event, const PublishOptions& options) {
  const Metadata& metadata = event.metadata;
  Context context = Context::current();
  if (!metadata.correlation_id.empty()) context.correlation_id = metadata.correlation_id;
  if (metadata.causation_id) context.causation_id = metadata.causation_id;
  if (metadata.traceparent) {
    context.traceparent = metadata.traceparent;
    context.tracestate = metadata.tracestate;
  }
  const ContextScope scope(std::move(context));
  PublishOptions own = options;
  const std::string id = metadata.foreign_id.value_or(
      metadata.event_id.is_nil() ? std::string() : metadata.event_id.to_string());
  if (own.foreign_id.empty()) own.foreign_id = id;
  if (own.source.empty()) own.source = metadata.source;
  own.fields = metadata.fields.with(options.fields);
  return publish(event.type, data_of(event), own, event.schema_version);
}

PublishResult Bus::publish_payload(const detail::Payload& payload, std::size_t slot,
                                   const PublishOptions& options) {
  return core_->publish(payload, slot, options);
}

std::vector<PublishResult> Bus::publish_payloads(std::span<const detail::Payload> payloads, std::size_t slot,
                                                 const PublishOptions& options) {
  return core_->publish_batch(payloads, slot, options);
}

PublishResult detail::publish_in(Bus& bus, JournalTransaction& transaction, const Payload& payload,
                                 const PublishOptions& options) {
  if (payload.type == &kPayloadType<Json>) {
    validate(payload.event_type, *static_cast<const Json*>(payload.object), payload.schema_version);
  }
  return bus.core_->publish_in(transaction, payload, options);
}

bool detail::is_permanent(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
    return false;
  } catch (const Permanent&) {
    return true;
  } catch (...) {
    return false;
  }
}

PublishResult Bus::store_dead_letter(std::string_view handler, std::string_view event_type, const Json& data,
                                     const std::exception_ptr& error, const PublishOptions& options,
                                     int schema_version) {
  validate(event_type, data, schema_version);
  return store_letter({&data, &detail::kPayloadType<Json>, event_type, schema_version}, handler,
                      logging::describe_error(error), detail::is_permanent(error), options);
}

PublishResult Bus::store_letter(const detail::Payload& payload, std::string_view handler,
                                const logging::ErrorDescription& error, bool permanent,
                                const PublishOptions& options) {
  validate_name(handler, "handler");
  if (!core_->setup().options.store)
    refuse("the bus has no store that could keep a dead letter: set BusOptions::store");
  if (error.type.empty())
    refuse("there is no error: give std::current_exception() inside a catch block, or an exception");
  if (!options.idempotency_key.empty())
    refuse("an idempotency_key is for durable publishes, and a dead letter has none");
  return core_->store_dead_letter(payload, handler, {error, permanent}, options);
}

void Bus::notify() { core_->notify(); }

void Bus::add_upcaster(std::string_view event_type, int from_version, int latest,
                       std::function<Json(Json)> step) {
  core_->setup().require_own_process();
  validate_name(event_type, "event type");
  if (from_version < 1)
    refuse("schema versions start at 1: an upcaster's from_version must be at least that");
  if (latest != 0 && from_version >= latest) {
    refuse("'" + std::string(event_type) + "' has schema version " + std::to_string(latest) +
           ": an upcaster's from_version must be below it");
  }
  if (!step) refuse("an upcaster must be callable");
  core_->upcast(event_type, from_version, std::move(step));
}

RedriveRequest Bus::redrive(const LetterFilter& filter, const RedriveOptions& options) {
  core_->setup().require_own_process();
  validate(options);
  return core_->redrive(filter, options);
}

Subscription Bus::subscribe_spec(detail::SubscriberSpec spec) {
  core_->setup().require_own_process();
  validate(spec);
  bound_durations(spec.options);
  return Subscription(core_->subscribe(std::move(spec)));
}

StopReport Bus::stop(std::chrono::milliseconds deadline) { return core_->stop(deadline); }

StopReport Bus::stop() { return core_->stop(core_->setup().options.stop_deadline); }

bool Bus::wait_idle(std::chrono::milliseconds timeout) { return core_->wait_idle(timeout); }

Snapshot Bus::snapshot() const { return core_->snapshot(); }

Metrics Bus::metrics() const { return core_->metrics(); }

Subscription::Subscription(std::shared_ptr<detail::Subscriber> subscriber) noexcept
    : subscriber_(std::move(subscriber)) {}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    reset();
    subscriber_ = std::move(other.subscriber_);
  }
  return *this;
}

Subscription::~Subscription() { reset(); }

void Subscription::reset() noexcept {
  const auto subscriber = std::move(subscriber_);
  if (!subscriber) return;
  if (const auto core = subscriber->core.lock()) core->unsubscribe(subscriber);
}

void Subscription::keep() && noexcept { subscriber_.reset(); }
void Subscription::keep() & noexcept { subscriber_.reset(); }

}  // namespace tidings
