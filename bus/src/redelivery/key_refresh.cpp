#include "redelivery/key_refresh.hpp"

#include "ending/handler_transaction.hpp"

#include <string>
#include <utility>
#include <vector>

namespace tidings::detail {

/// Letters from before the subscription are delivered first: as long as any is left, it holds back later
/// deliveries.
void KeyRefresh::hold_keys(Subscriber& subscriber) {
  const bool parks = subscriber.options.after_death == AfterDeath::Park;
  if (!bus_.setup.options.store || (!parks && !subscriber.keyed)) return;
  HandlerTransaction::require_none_here("subscribing a handler with an ordering_key");
  end_.flush_letters();  // The keys of letters that still wait for their commit count too.
  const HandlerIdentity& identity = subscriber.identity;
  Redrives* const redrives = bus_.setup.options.store->redrives();
  if (redrives == nullptr) {
    if (!parks) return;
    return subscriber.queue.hold_keys(
        bus_.setup.options.store->dead_keys(identity.service, identity.event_type, identity.handler), {});
  }
  std::vector<std::string> dead;
  std::vector<std::string> resuming;
  for (LetterKey& key : redrives->keys(identity.service, subscriber.served()))
    (key.coming ? resuming : dead).push_back(std::move(key.key));
  subscriber.queue.hold_keys(std::move(dead), std::move(resuming));
}

bool KeyRefresh::refresh() {
  bool complete = true;
  for (const auto& subscriber : bus_.topics.all()) {
    if (subscriber->keyed && !subscriber->wildcard()) complete = refresh(subscriber) && complete;
  }
  return complete;
}

bool KeyRefresh::refresh(const std::shared_ptr<Subscriber>& subscriber) {
  bool later = false;
  const auto look = subscriber->queue.look_at_keys(later);
  if (!look) return !later;
  if ((bus_.journal && !bus_.journal.commits->flush()) || !bus_.letters.flush_a_turn()) return false;
  UnresolvedKeys unresolved;
  for (LetterKey& key :
       bus_.setup.options.store->redrives()->keys(bus_.setup.options.service, subscriber->served()))
    unresolved.emplace(std::move(key.key), key.coming);
  for (bool again = true; again;) {
    auto turn = subscriber->queue.settle_keys(*look, unresolved);
    for (const Delivery& parked : turn.parked)
      end_.hand_back(subscriber, parked, Reason::Parked, RedriveResult::End::Returned);
    for (; turn.permits > 0; --turn.permits) bus_.pool.submit(subscriber);
    again = !turn.parked.empty();
  }
  return true;
}

}  // namespace tidings::detail
