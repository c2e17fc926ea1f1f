#include "simulation/model.hpp"

#include "simulation/shop_events.hpp"

#include <algorithm>

namespace tidings::simulation {
namespace {

/// A delivery whose order counts.
struct Ordered {
  std::int64_t number = 0;
  const Publishing* event = nullptr;
  const std::vector<Run>* runs = nullptr;
  bool had_letter = false;
};

class Orders {
 public:
  Orders(const History& history, const Facts& facts, std::string handler)
      : history_(history), facts_(facts), handler_(std::move(handler)) {}

  std::vector<std::string> broken() && {
    std::map<std::string, std::vector<Ordered>> by_key;
    for (const auto& [delivery, runs] : history_.runs()) {
      if (delivery.first != handler_) continue;
      const auto event = history_.events().find(delivery.second);
      if (event == history_.events().end()) continue;
      const std::string key = is_keyed(handler_) ? key_of(delivery.second) : "";
      by_key[key].push_back({delivery.second, &event->second, &runs, had_letter(delivery)});
    }
    for (const auto& [key, all] : by_key) {
      compare(all);
      // "Letters that are still in the spill file park nothing."
      const bool in_database = !history_.resolved_by_tools() && !history_.disk_failed();
      if (handler_ == "pack" && in_database) judge_parking(all);
    }
    return std::move(broken_);
  }

 private:
  [[nodiscard]] bool had_letter(const Delivery& delivery) const {
    return facts_.letters.contains(delivery) || facts_.gone.contains(delivery);
  }

  void compare(const std::vector<Ordered>& all) {
    for (const Ordered& earlier : all) {
      for (const Ordered& later : all) {
        if (is_before(*earlier.event, *later.event)) compare(earlier, later);
      }
    }
  }

  /// With AfterDeath::Park nothing of a key runs between the death of one and its end by a redrive. In a
  /// life: letters are in memory for a while, and a process that is killed then repeats the delivery.
  void judge_parking(const std::vector<Ordered>& all) {
    for (const Ordered& dead : all) {
      for (const Run& death : *dead.runs) {
        if (death.how != "gave_up") continue;
        for (const Ordered& other : all) {
          if (other.number != dead.number && ran_between(other, death, end_after(dead, death)))
            say(dead, other, "dead, and not waited for");
        }
      }
    }
  }

  /// The next run that may end what has died.
  static Place end_after(const Ordered& dead, const Run& death) {
    for (const Run& run : *dead.runs) {
      if (run.began > death.began) return run.began;
    }
    return kNever;
  }

  static bool ran_between(const Ordered& other, const Run& death, Place end) {
    return std::any_of(other.runs->begin(), other.runs->end(), [&](const Run& run) {
      return run.life == death.life && run.began > death.ended && run.began < end;
    });
  }

  /// Whether both were published one after the other, in a way that says which comes first. An event that is
  /// not durable may overtake; one of a life before has its own order.
  [[nodiscard]] bool is_before(const Publishing& earlier, const Publishing& later) const {
    if (earlier.published_at == kNever || earlier.published_at > later.first_try) return false;
    return later.durable || !earlier.durable;
  }

  void compare(const Ordered& earlier, const Ordered& later) {
    if (!is_keyed(handler_)) return compare_first_runs(earlier, later);
    // The first run of the later one comes when the earlier one has ended: as a letter, or handled.
    const Run& first = later.runs->front();
    if (earlier.runs->front().began > first.began && !earlier.had_letter)
      return say(earlier, later, "overtaken");
    for (const Run& run : *earlier.runs) {
      const bool open = run.life == first.life && run.began < first.began;
      if (open && run.ended > first.began) return say(earlier, later, "not waited for");
    }
    compare_repeats(earlier, later);
  }

  /// In a life, what is owed to a key runs in order, though it may all have run before.
  void compare_repeats(const Ordered& earlier, const Ordered& later) {
    if (earlier.had_letter || later.had_letter) return;
    for (std::size_t life = 0; life < history_.lives().size(); ++life) {
      const Run* const one = first_in(earlier, static_cast<int>(life));
      const Run* const other = first_in(later, static_cast<int>(life));
      if (one != nullptr && other != nullptr && one->began > other->began)
        return say(earlier, later, "overtaken in a later life");
    }
  }

  static const Run* first_in(const Ordered& ordered, int life) {
    const auto found = std::find_if(ordered.runs->begin(), ordered.runs->end(),
                                    [&](const Run& run) { return run.life == life; });
    return found == ordered.runs->end() ? nullptr : &*found;
  }

  /// For a queue without keys: first attempts, in the life in which both were published. One that memory was
  /// too short for never gets to the handler, which then sees the retry.
  void compare_first_runs(const Ordered& earlier, const Ordered& later) {
    const Run& one = earlier.runs->front();
    const Run& other = later.runs->front();
    const bool same =
        one.life == other.life && earlier.event->life == one.life && later.event->life == one.life;
    const bool first = one.attempt == 1 && other.attempt == 1;
    if (same && first && !earlier.had_letter && one.began > other.began) say(earlier, later, "overtaken");
  }

  void say(const Ordered& earlier, const Ordered& later, const std::string& what) {
    broken_.push_back(handler_ + ' ' + std::to_string(earlier.number) + ": " + what + " by " +
                      std::to_string(later.number));
  }

  const History& history_;
  const Facts& facts_;
  const std::string handler_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> broken_order(const History& history, const Facts& facts) {
  std::vector<std::string> broken;
  for (const char* handler : {"ship", "pack", "mail", "ledger"}) {
    const auto of_handler = Orders(history, facts, handler).broken();
    broken.insert(broken.end(), of_handler.begin(), of_handler.end());
  }
  return broken;
}

}  // namespace tidings::simulation
