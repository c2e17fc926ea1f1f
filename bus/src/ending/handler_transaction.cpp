#include "ending/handler_transaction.hpp"

#include <tidings/detail/kill_point.hpp>
#include <tidings/error.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

namespace {

/// A handler that holds up other writers for longer is logged.
constexpr std::chrono::milliseconds kLong{100};

/// The innermost that the thread has open.
thread_local constinit HandlerTransaction* innermost = nullptr;

}  // namespace

DeliveryTransaction& open_transaction(const EventContext& context) {
  if (context.transaction_ == nullptr) {
    throw Error(
        ErrorCode::NoJournal,
        "there is no transaction for this delivery, which is in memory only: publish the event durably "
        "(BusOptions::durability, or PublishOptions::durability), with a store that has a journal");
  }
  return context.transaction_->open(context);
}

HandlerTransaction::HandlerTransaction(const BusParts& bus, DeliveryFrame& frame, OwedDeliveryHandle* owed,
                                       const ClaimedLetter* letter) noexcept
    : bus_(bus), frame_(frame), owed_(owed), letter_(letter) {
  if (letter_ == nullptr && (owed_ == nullptr || !*owed_)) return;
  thread_ = std::this_thread::get_id();
  frame_.offer(this);
}

HandlerTransaction::~HandlerTransaction() {
  roll_back();
  frame_.offer(nullptr);
}

HandlerTransaction* HandlerTransaction::of_this_thread(const BusSetup& bus) noexcept {
  HandlerTransaction* each = innermost;
  while (each != nullptr && &each->bus_.setup != &bus) each = each->outer_;
  return each;
}

bool HandlerTransaction::any_on_this_thread() noexcept { return innermost != nullptr; }

void HandlerTransaction::require_none_here(const char* what) {
  if (!any_on_this_thread()) return;
  throw Error(ErrorCode::CalledInHandler,
              std::string(what) +
                  " inside a handler's transaction(context) would wait for that transaction; do it before "
                  "transaction(context) is called, or on another thread once the handler has returned");
}

DeliveryTransaction& HandlerTransaction::open(const EventContext& context) {
  if (std::this_thread::get_id() != thread_) {
    throw Error(ErrorCode::InvalidArgument,
                "transaction(context) belongs to the thread that its handler runs on; call it there");
  }
  if (transaction_) return *transaction_;
  asked_at_ = bus_.setup.clock.monotonic_now();
  Journal* const port = bus_.setup.options.store ? bus_.setup.options.store->journal() : nullptr;
  if (port != nullptr) transaction_ = port->begin_transaction();
  if (!transaction_) {
    throw Error(ErrorCode::NoJournal,
                "the store of this bus has no transactions for handlers: use a tidings::deadletter::Store");
  }
  began_at_ = bus_.setup.clock.monotonic_now();
  outer_ = std::exchange(innermost, this);
  if (began_at_ - asked_at_ > kLong)
    bus_.log.transaction_waited(context,
                                std::chrono::duration_cast<std::chrono::microseconds>(began_at_ - asked_at_));
  kill_point("transaction.begun");
  return *transaction_;
}

void HandlerTransaction::counts_published(const std::shared_ptr<HandlerCount>& type) {
  if (counted_.empty() || counted_.back().type != type) counted_.push_back({type});
}

void HandlerTransaction::commit() {
  if (!transaction_) return;
  kill_point("transaction.handled");
  try {
    end_delivery();
  } catch (const Error& error) {
    in_doubt_ = error.code() == ErrorCode::InDoubt;
    throw;
  }
  committed_ = true;
  for (const PublishedEvents& each : counted_) each.type->published(each.events);
  for (const DeadLetter& letter : dead_) tell_death(bus_, letter);
  kill_point("transaction.committed");
  end();
}

void HandlerTransaction::end_delivery() {
  if (letter_ != nullptr) return settle_letter();
  bus_.journal.ledger->handled_in(*owed_, *transaction_);
  *owed_ = {};
}

void HandlerTransaction::settle_letter() {
  const RedriveResult result{
      .id = letter_->id, .end = RedriveResult::End::Reprocessed, .at = bus_.setup.clock.now(), .letter = {}};
  const std::vector<RedriveEnd> ended = bus_.redriver.settle_in(*transaction_, result);
  transaction_->commit({});
  bus_.redriver.settled(result.id, ended);
}

void HandlerTransaction::roll_back() noexcept {
  if (!transaction_) return;
  if (bus_.setup.forked()) {  // it is the parent's: SQLite's connections may not even be closed in a child
    innermost = outer_;
    static_cast<void>(transaction_.release());
    return;
  }
  kill_point("transaction.failed");
  end();
}

/// Events published in this transaction are in the journal now, or never will be. Those of other transactions
/// are settled by their own ends.
void HandlerTransaction::end() noexcept {
  innermost = outer_;
  transaction_.reset();
  kill_point("transaction.ended");
  const Instant now = bus_.setup.clock.monotonic_now();
  if (now - began_at_ > kLong)
    bus_.log.transaction_held(frame_.context(),
                              std::chrono::duration_cast<std::chrono::microseconds>(now - began_at_));
  if (!published_.empty()) bus_.journal.ledger->transactions_ended(published_);
  published_.clear();
  counted_.clear();
  dead_.clear();
}

}  // namespace tidings::detail
