#include "service.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace webhooks {
namespace {

using namespace std::chrono_literals;
using tidings::Dispatch;
using tidings::EventContext;
using tidings::Json;
using tidings::RetryPolicy;
using tidings::SubscribeOptions;

/// For work that needs nobody else. Waits are short, so that the example does not take long.
RetryPolicy a_few_times() { return {.max_attempts = 3, .backoff = tidings::exponential(20ms, 200ms)}; }

/// For a system that may be busy. When it says how long, that counts and not the backoff. JSON that lacks a
/// field will lack it the next time, too.
RetryPolicy patiently() {
  return {.max_attempts = 20,
          .backoff = tidings::exponential(50ms, 500ms),
          .permanent = tidings::exception_types<Json::exception>()};
}

/// On a worker; one repository's deliveries one after the other, in order, while those of others go on.
template <class E>
SubscribeOptions<E> queued_by_repository(RetryPolicy retry) {
  return {.dispatch = Dispatch::Queued,
          .retry = std::move(retry),
          .concurrency = 2,
          .ordering_key = [](const E& event) { return event.repository.full_name; }};
}

/// The same for an event without struct, where there may be no repository.
SubscribeOptions<Json> queued_json_by_repository(RetryPolicy retry) {
  return {.dispatch = Dispatch::Queued,
          .retry = std::move(retry),
          .concurrency = 2,
          .ordering_key = repository_of};
}

template <class E>
void publish_as(tidings::Bus& bus, const Json& data, const tidings::PublishOptions& options) {
  E event;
  try {
    event = data.get<E>();
  } catch (const Json::exception&) {
    // It does not fit the struct. Published as it came, it reaches every handler of JSON, and becomes a dead
    // letter, payload whole, for each handler of the struct.
    bus.publish(E::event_type, data, options);
    return;
  }
  bus.publish(event, options);
}

using Publisher = void (*)(tidings::Bus&, const Json&, const tidings::PublishOptions&);

/// The types that have a struct.
const std::map<std::string, Publisher, std::less<>>& publishers() {
  static const std::map<std::string, Publisher, std::less<>> all = {
      {std::string(Push::event_type), publish_as<Push>},
      {std::string(IssueOpened::event_type), publish_as<IssueOpened>},
      {std::string(PullRequestOpened::event_type), publish_as<PullRequestOpened>},
      {std::string(ReleasePublished::event_type), publish_as<ReleasePublished>},
  };
  return all;
}

}  // namespace

Service::Service(std::shared_ptr<tidings::deadletter::Store> store, const tidings::logging::Logger& logger,
                 std::filesystem::path page_file, tidings::BusTelemetry telemetry)
    : store_(std::move(store)),
      started_at_(tidings::system_clock()->now()),
      downstreams_(tidings::system_clock(), std::move(page_file)),
      bus_({.service = std::string(kName),
            .store = store_,
            .logger = logger,
            .telemetry = std::move(telemetry)}) {
  serve_pushes();
  serve_issues_and_pull_requests();
  serve_releases();
  serve_events_without_struct();
}

template <class E, class Handler>
void Service::serve(std::string_view name, Handler handler, SubscribeOptions<E> options) {
  const auto call = [this, handler](const E& event) { handler(downstreams_, event); };
  bus_.subscribe<E>(name, ledger_.counted<E>(E::event_type, name, call), std::move(options)).keep();
}

template <class Handler>
void Service::serve(std::string_view event_type, std::string_view name, Handler handler,
                    SubscribeOptions<Json> options) {
  const auto call = [this, handler](const Json& event) { handler(downstreams_, event); };
  bus_.subscribe(event_type, name, ledger_.counted<Json>(event_type, name, call), std::move(options)).keep();
}

void Service::serve_pushes() {
  serve<Push>("write_changelog", write_changelog, {.retry = a_few_times()});
  serve<Push>("start_build", start_build, queued_by_repository<Push>(a_few_times()));
}

void Service::serve_issues_and_pull_requests() {
  serve<IssueOpened>("label_issue", label_issue, {.retry = a_few_times()});
  serve<IssueOpened>("announce", announce_issue, queued_by_repository<IssueOpened>(patiently()));
  serve<PullRequestOpened>("link_issues", link_issues, {.retry = a_few_times()});
  serve<PullRequestOpened>("announce", announce_pull_request,
                           queued_by_repository<PullRequestOpened>(patiently()));
}

void Service::serve_releases() {
  serve<ReleasePublished>("write_newsletter", write_newsletter, {.retry = a_few_times()});
  serve<ReleasePublished>("announce", announce_release, queued_by_repository<ReleasePublished>(patiently()));
}

void Service::serve_events_without_struct() {
  serve("github.issue_comment.created", "tell_mentioned", tell_mentioned,
        queued_json_by_repository(patiently()));
  serve("github.status", "tell_committer", tell_committer, queued_json_by_repository(patiently()));

  bus_.subscribe_all("audit",
                     ledger_.counted<Json>("*", "audit", [this](const Json& event) { audit_.count(event); }))
      .keep();
  const auto show = [this](const Json& event, const EventContext& context) {
    show_activity(downstreams_, event, context);
  };
  bus_.subscribe_all("show_activity", ledger_.counted<Json>("*", "show_activity", show),
                     queued_json_by_repository(a_few_times()))
      .keep();
}

void Service::take_in(const Delivery& delivery, std::uint64_t line) {
  // What comes from outside may be anything: an id that cannot be one is left out.
  const bool has_id = tidings::CorrelationId::parse(delivery.id).has_value();
  const tidings::PublishOptions options{.correlation_id = has_id ? delivery.id : std::string_view(),
                                        .source = delivery.source,
                                        .fields = {{"line", line}}};
  const auto publisher = publishers().find(delivery.type);
  if (publisher == publishers().end()) {
    bus_.publish(delivery.type, delivery.data, options);
  } else {
    publisher->second(bus_, delivery.data, options);
  }
  ledger_.count_published(delivery.type);
}

void Service::finish() {
  // Every retry policy above comes to an end, so this does too.
  while (!bus_.wait_idle(1s)) {
  }
  bus_.stop();
}

std::vector<Account> Service::accounts() const {
  auto letters = tidings::deadletter::Reader::open(store_->path());
  return ledger_.accounts(letters, kName, started_at_);
}

}  // namespace webhooks
