#include "exporting/lane.hpp"

#include "exporting/item_queue.hpp"
#include "otlp/response.hpp"
#include "sending/gzip.hpp"
#include "sending/retry_after.hpp"

#include <tidings/detail/what_of.hpp>
#include <tidings/retry.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::minutes kBetweenWarnings{1};
constexpr std::uint32_t kMostFailures = 100;  // the backoff has long reached its longest wait

const Backoff& backoff() {
  static const Backoff backoff = exponential(500ms, 5s);
  return backoff;
}

/// OTLP, "Failures": these, and no answer at all.
bool may_succeed_later(long status) noexcept {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

std::string problem_of(const HttpResponse& response, OtlpEncoding encoding) {
  if (response.status == 0) return response.problem;
  const std::string said = read_refusal(response.body, encoding);
  return "HTTP " + std::to_string(response.status) + (said.empty() ? "" : ": " + said);
}

}  // namespace

Lane::Lane(const char* name, const LaneSetup& setup, const Endpoint& endpoint, BatchSource& source,
           std::chrono::milliseconds give_up_after)
    : name_(name), setup_(setup), endpoint_(endpoint), source_(source), give_up_after_(give_up_after) {}

Instant Lane::work_due() const {
  if (outgoing_) return try_at_;
  return std::max(source_.due(is_hurried()), try_at_);
}

void Lane::work() noexcept {
  if (!outgoing_ && !take()) return;
  try {
    handle(setup_.http.post(endpoint_, outgoing_->batch.body));
  } catch (const std::exception& error) {  // there was no memory
    lose_outgoing(detail::what_of(error));
  }
}

bool Lane::take() noexcept {
  const std::size_t items = source_.next_items();
  try {
    Batch batch = source_.take(items);
    if (batch.body.empty()) {
      resolve(batch.items);
      return false;
    }
    if (endpoint_.compression == Compression::Gzip) batch.body = gzipped(batch.body);
    outgoing_ = Outgoing{std::move(batch), setup_.options.clock->monotonic_now() + give_up_after_};
    return true;
  } catch (const std::exception& error) {
    lose(items, detail::what_of(error));
  } catch (...) {
    lose(items, "something that is no std::exception was thrown");
  }
  return false;
}

void Lane::handle(const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return handle_taken(response);
  last_failure_ = problem_of(response, encoding_of(endpoint_));
  if (may_succeed_later(response.status)) {
    if (postpone(response)) return;
  } else {
    failures_ = 0;  // somebody is there
  }
  lose_outgoing(last_failure_);
}

void Lane::handle_taken(const HttpResponse& response) {
  const ReceiverAnswer answer = read_answer(response.body, encoding_of(endpoint_));
  const std::uint64_t items = outgoing_->batch.items;
  const std::uint64_t rejected = std::min<std::uint64_t>(answer.rejected, items);
  const std::string problem = "the receiver did not take them: " + answer.message;
  outgoing_.reset();  // from here on nothing throws
  failures_ = 0;
  last_failure_.clear();
  sent_.fetch_add(items - rejected);
  resolve(items - rejected);
  if (rejected > 0) {
    lose(rejected, problem);
  } else if (!answer.message.empty()) {
    tell_warning(answer.message);
  }
}

void Lane::tell_warning(const std::string& warning) {
  const Instant now = setup_.options.clock->monotonic_now();
  if (now < warn_at_) return;
  warn_at_ = now + kBetweenWarnings;
  setup_.options.logger.warning("telemetry_receiver_warned", {{"signal", name_}, {"problem", warning}});
}

bool Lane::postpone(const HttpResponse& response) {
  const Clock& clock = *setup_.options.clock;
  failures_ = std::min(failures_ + 1, kMostFailures);
  const auto jittered = std::chrono::duration_cast<std::chrono::milliseconds>(
      backoff().delay(failures_, setup_.options.random()));
  const auto asked_for = parse_retry_after(response.retry_after, clock.now());
  try_at_ = clock.monotonic_now() + std::max(jittered, asked_for.value_or(jittered));
  return try_at_ < outgoing_->give_up_at;
}

void Lane::tell() noexcept {
  try {
    const std::string no_room =
        "the queue is full, or there is no memory" + (last_failure_.empty() ? "" : "; " + last_failure_);
    losses_.tell(name_, lost(), no_room, setup_.options.logger, setup_.options.clock->monotonic_now());
  } catch (const std::bad_alloc&) {
    losses_.tell_later(setup_.options.clock->monotonic_now());
  }
}

void Lane::abandon() noexcept {
  std::string_view why = "the exporter was stopped before they were sent";
  std::string with_failure;
  try {
    if (!last_failure_.empty()) why = with_failure = std::string(why) + "; " + last_failure_;
  } catch (const std::bad_alloc&) {
    // Then without the failure.
  }
  lose_outgoing(why);
  const std::uint64_t left = source_.discard();
  if (left > 0) lose(left, why);
}

void Lane::lose_outgoing(std::string_view problem) noexcept {
  if (!outgoing_) return;
  const std::uint64_t items = outgoing_->batch.items;
  outgoing_.reset();
  lose(items, problem);
}

std::uint64_t Lane::hurry() {
  const std::uint64_t target = source_.request();
  std::uint64_t before = wanted_.load();
  while (before < target && !wanted_.compare_exchange_weak(before, target)) {
  }
  return target;
}

void Lane::lose(std::uint64_t items, std::string_view problem) noexcept {
  losses_.add(items, problem);
  resolve(items);
}

void Lane::resolve(std::uint64_t items) noexcept { resolved_.fetch_add(items); }

}  // namespace tidings::telemetry
