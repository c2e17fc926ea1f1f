#include "simulation/model.hpp"

#include "simulation/shop_events.hpp"

#include <algorithm>

namespace tidings::simulation {
namespace {

/// Whether an event is to be delivered. Perhaps: the process died, or the database failed, before the
/// publisher knew.
enum class Accepted : std::uint8_t { No, Perhaps, Yes };

class Judgement {
 public:
  Judgement(const History& history, const Facts& facts, bool at_the_end)
      : history_(history), facts_(facts), at_the_end_(at_the_end) {}

  std::vector<std::string> broken() && {
    for (const auto& [number, event] : history_.events()) {
      if (event.kind.empty()) continue;
      judge(number, event);
      if (event.kind == "payment") judge_receipt(number, event);
    }
    judge_requests();
    if (at_the_end_ && !facts_.spilled.empty())
      say(*facts_.spilled.begin(), "its letter stays in the spill file");
    return std::move(broken_);
  }

 private:
  void say(const Delivery& delivery, const std::string& what) {
    broken_.push_back(delivery.first + ' ' + std::to_string(delivery.second) + ": " + what);
  }

  [[nodiscard]] Accepted accepted(std::int64_t number, const Publishing& event) const {
    if (event.in_transaction) return facts_.placed.contains(number) ? Accepted::Yes : Accepted::No;
    if (event.refusals == event.tries) return Accepted::No;
    if (event.accepted_at == kNever) return Accepted::Perhaps;
    if (event.durable) return Accepted::Yes;
    // In memory, and lost with the process.
    return history_.settled_after(event.life, event.accepted_at) ? Accepted::Yes : Accepted::Perhaps;
  }

  void judge(std::int64_t number, const Publishing& event) {
    const auto& handlers = handlers_of(event.kind);
    Accepted is = accepted(number, event);
    // A durable event is there for all of its handlers, or for none.
    const auto left = [&](const std::string& handler) { return has_left_a_trace({handler, number}); };
    if (is == Accepted::Perhaps && event.durable && std::any_of(handlers.begin(), handlers.end(), left))
      is = Accepted::Yes;
    if (event.duplicate_of_nothing) say({"-", number}, "told as a duplicate of an event that was refused");
    for (const std::string& handler : handlers) {
      const Delivery delivery{handler, number};
      if (is == Accepted::No && has_left_a_trace(delivery)) say(delivery, "not accepted, but delivered");
      if (is == Accepted::Yes && (handler.empty() || was_subscribed(handler, event))) require_end(delivery);
      judge_end(delivery);
    }
    judge_identity(number, handlers);
  }

  /// Whenever the event may have been accepted. A publish that did not return has found its handlers at any
  /// time until its process ended; and of several tries nobody knows which one it was.
  [[nodiscard]] bool was_subscribed(const std::string& handler, const Publishing& event) const {
    const bool once = event.tries == 1 && event.accepted_at != kNever;
    return std::all_of(event.tried_in.begin(), event.tried_in.end(), [&](const auto& tried) {
      const auto& [life, first] = tried;
      const Place to = once ? event.accepted_at : history_.lives()[static_cast<std::size_t>(life)].ended;
      return history_.subscribed(handler, life, first, to).value_or(false);
    });
  }

  /// Unless all of its canary succeed, no other letter of a request is delivered.
  void judge_requests() {
    for (const RequestFact& request : facts_.requests) {
      if (!request.canary || request.succeeded >= *request.canary) continue;
      if (request.succeeded + request.failed > *request.canary)
        say({"redrive", request.id}, "went on though its canary had failed");
    }
  }

  /// A payment's receipt is published in the transaction that writes the bank's effect.
  void judge_receipt(std::int64_t number, const Publishing& event) {
    const auto effect = facts_.effects.find({"bank", number});
    for (const std::string& handler : handlers_of("receipt")) {
      const Delivery delivery{handler, number};
      if (effect == facts_.effects.end()) {
        if (has_left_a_trace(delivery))
          say(delivery, "delivered, but the transaction that published it is not there");
        continue;
      }
      require_end(delivery);
      judge_end(delivery);
    }
    static_cast<void>(event);
  }

  [[nodiscard]] const std::vector<LetterFact>& letters(const Delivery& delivery) const {
    static const std::vector<LetterFact> none;
    const auto found = facts_.letters.find(delivery);
    return found == facts_.letters.end() ? none : found->second;
  }
  [[nodiscard]] const std::vector<Run>& runs(const Delivery& delivery) const {
    static const std::vector<Run> none;
    const auto found = history_.runs().find(delivery);
    return found == history_.runs().end() ? none : found->second;
  }
  [[nodiscard]] bool is_handled(const Delivery& delivery) const {
    if (is_transactional(delivery.first)) return facts_.effects.contains(delivery);
    const auto& all = runs(delivery);
    return std::any_of(all.begin(), all.end(), [](const Run& run) { return run.how == "done"; });
  }
  [[nodiscard]] bool has_letter(const Delivery& delivery) const {
    return !letters(delivery).empty() || facts_.gone.contains(delivery) || facts_.spilled.contains(delivery);
  }
  [[nodiscard]] bool has_left_a_trace(const Delivery& delivery) const {
    return !runs(delivery).empty() || is_handled(delivery) || has_letter(delivery) ||
           facts_.owed.contains(delivery);
  }

  void require_end(const Delivery& delivery) {
    if (is_handled(delivery) || has_letter(delivery)) {
      if (at_the_end_ && facts_.owed.contains(delivery)) say(delivery, "ended, but owed by the journal");
      return;
    }
    const bool owed = facts_.owed.contains(delivery);
    const auto& life = history_.lives().back();
    const bool served = history_
                            .subscribed(delivery.first, static_cast<int>(history_.lives().size()) - 1,
                                        life.quiets.empty() ? life.began : life.quiets.back(), kNever - 1)
                            .value_or(false);
    if (owed && !at_the_end_ && !served) return;
    say(delivery,
        owed ? "owed by the journal, and nobody is at it" : "lost: not handled, no letter, not owed");
  }

  void judge_end(const Delivery& delivery) {
    judge_repeats(delivery);
    for (const LetterFact& letter : letters(delivery)) judge_letter(delivery, letter);
    const bool mended =
        was_mended(delivery) || (is_of_receipt(delivery) && was_mended({"bank", delivery.second}));
    if (is_handled(delivery) && never_works(delivery.second, delivery.first) && !mended)
      say(delivery, "handled, though its handler never works");
  }

  [[nodiscard]] static bool is_of_receipt(const Delivery& delivery) {
    const auto& handlers = handlers_of("receipt");
    return std::find(handlers.begin(), handlers.end(), delivery.first) != handlers.end();
  }
  [[nodiscard]] bool was_mended(const Delivery& delivery) const {
    const auto& all = letters(delivery);
    return facts_.gone.contains(delivery) ||
           std::any_of(all.begin(), all.end(), [](const LetterFact& letter) { return letter.mended; });
  }

  /// At least once: a second time only after the process was killed before the completion was committed.
  void judge_repeats(const Delivery& delivery) {
    const auto effect = facts_.effects.find(delivery);
    if (effect != facts_.effects.end() && effect->second > 1) say(delivery, "took effect more than once");
    if (is_transactional(delivery.first)) return;
    const Run* last = nullptr;
    for (const Run& run : runs(delivery)) {
      if (last != nullptr && history_.recorded_after(last->life, last->ended))
        say(delivery, "run again after its completion had been committed");
      if (last != nullptr && last->life == run.life)
        say(delivery, "run again in the life in which it was done");
      if (run.how == "done") last = &run;
    }
  }

  void judge_letter(const Delivery& delivery, const LetterFact& letter) {
    if (!may_have_reason(delivery, letter)) {
      say(delivery, "a letter for no reason: " + letter.reason + ", " + letter.error_type + ": " +
                        letter.error_message);
    }
    if (!has_its_key(delivery, letter)) say(delivery, "a letter without its ordering key: " + letter.reason);
    if (letter.resolution == "reprocessed" && !is_handled(delivery))
      say(delivery, "reprocessed, but not handled");
    const bool open = letter.resolution.empty() || letter.resolution == "discarded";
    if (letter.resolution == "discarded" && is_done(delivery, letter.event_id) &&
        !was_killed_after_it_was_done(delivery))
      say(delivery, "handled, and discarded");
    if (open && is_transactional(delivery.first) && facts_.effects.contains(delivery))
      say(delivery, "took effect, and is a letter: " + letter.reason);
    if (letter.resolution.empty() && is_handled(delivery) && !was_killed_after_it_was_done(delivery))
      say(delivery, "handled, and a letter: " + letter.reason);
    if (at_the_end_ && letter.resolution.empty() && !may_stay(delivery, letter))
      say(delivery, "still a letter after everything was mended and redriven: " + letter.reason + ", " +
                        letter.error_type + ": " + letter.error_message);
  }

  [[nodiscard]] bool has_its_key(const Delivery& delivery, const LetterFact& letter) const {
    // A publish that a reset or a stop overtakes asks its handler's code for no key any more. What is durable
    // stays owed then.
    const auto event = history_.events().find(delivery.second);
    const bool durable = event != history_.events().end() && event->second.durable;
    if (!durable && letter.ordering_key.empty()) return true;
    return !is_keyed(delivery.first) || letter.ordering_key == key_of(delivery.second);
  }

  [[nodiscard]] bool is_done(const Delivery& delivery, const std::string& event_id) const {
    const auto& all = runs(delivery);
    return std::any_of(all.begin(), all.end(), [&](const Run& run) {
      return run.how == "done" && run.event_id == event_id && !is_transactional(delivery.first);
    });
  }

  [[nodiscard]] bool was_killed_after_it_was_done(const Delivery& delivery) const {
    const auto& all = runs(delivery);
    return std::any_of(all.begin(), all.end(), [&](const Run& run) {
      const LifeSpan& life = history_.lives()[static_cast<std::size_t>(run.life)];
      return run.how == "done" && (life.killed || life.sick) && !history_.recorded_after(run.life, run.ended);
    });
  }

  [[nodiscard]] bool may_have_reason(const Delivery& delivery, const LetterFact& letter) const {
    const auto& [handler, number] = delivery;
    const Fate fate = fate_of(number, handler);
    const bool trouble = letter.error_type == "tidings::Error" || letter.error_type == "std::bad_alloc" ||
                         letter.error_type.ends_with("StorageTrouble");
    if (letter.reason == "exhausted") return (fate != Fate::Fine && fate != Fate::Permanent) || trouble;
    if (letter.reason == "permanent") return fate == Fate::Permanent;
    // Published as version 1: only what is stored is brought up to date.
    if (letter.reason == "undecodable")
      return (handler == "weigh" || handler == "load") &&
             letter.error_message.find("key 'number' not found") != std::string::npos;
    if (letter.reason == "parked") return handler == "pack";
    if (letter.reason == "unhandled") return handler.empty();
    if (letter.reason == "crashed") return history_.cut_short();
    return letter.reason == "shutdown";
  }

  /// Whether nobody could handle it: it never works, or is parked behind one that never does.
  [[nodiscard]] bool may_stay(const Delivery& delivery, const LetterFact& letter) const {
    const std::string& handler = delivery.first;
    const std::int64_t number = delivery.second;
    if (handler.empty() || (never_works(number, handler) && !letter.mended)) return true;
    if (handler != "pack") return false;
    return std::any_of(facts_.letters.begin(), facts_.letters.end(), [&](const auto& entry) {
      return entry.first.first == "pack" && key_of(entry.first.second) == key_of(number) &&
             std::any_of(entry.second.begin(), entry.second.end(), [&](const LetterFact& other) {
               return other.resolution.empty() && other.id < letter.id;
             });
    });
  }

  /// What has a key is published once. Edits make new events.
  void judge_identity(std::int64_t number, const std::vector<std::string>& handlers) {
    std::set<std::string> ids;
    for (const std::string& handler : handlers) {
      for (const Run& run : runs({handler, number})) ids.insert(run.event_id);
      for (const LetterFact& letter : letters({handler, number})) {
        if (letter.mended) ids.erase(letter.event_id);
      }
    }
    if (ids.size() > 1 && facts_.gone.empty()) say({"-", number}, "published more than once");
  }

  const History& history_;
  const Facts& facts_;
  const bool at_the_end_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> broken_promises(const History& history, const Facts& facts, bool at_the_end) {
  std::vector<std::string> broken = Judgement(history, facts, at_the_end).broken();
  const std::vector<std::string> order = broken_order(history, facts);
  broken.insert(broken.end(), order.begin(), order.end());
  return broken;
}

}  // namespace tidings::simulation
