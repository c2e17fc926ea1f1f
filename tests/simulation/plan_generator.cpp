#include "simulation/plan_generator.hpp"

#include <array>
#include <random>

namespace tidings::simulation {
namespace {

// Where the services of a simulation come by while they work.
constexpr std::array kKillPoints{
    "publish.before_append", "publish.appended",      "publish.delivered",     "deliver.inline_returned",
    "deliver.inline_noted",  "transaction.published", "journal.before_commit", "journal.after_commit",
    "redrive.claimed",       "redrive.begun",         "redrive.returned",      "redrive.before_settle",
    "redrive.after_settle",  "exhaust.letter_made",   "recover.acquired",      "recover.read",
    "recover.queued",        "attempt.failed",        "deliver.returned",      "deliver.noted",
    "transaction.begun",     "transaction.handled",   "transaction.committed", "transaction.failed",
    "transaction.ended",     "transaction.completed", "shop.published",        "shop.committed"};

// Where it matters most who comes first, of those that write in transactions and those that read what they
// have written.
constexpr std::array kSeams{"transaction.committed,shop.published", "transaction.ended,shop.published",
                            "transaction.committed,shop.published", "transaction.completed,shop.published",
                            "recover.read,shop.committed",          "journal.after_commit,shop.published"};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed), plan_{.seed = seed, .steps = {}} {}

  Plan plan() && {
    if (chance(25)) {
      add_tills();
      return std::move(plan_);
    }
    const int lives = between(1, 3);
    for (int life = 0; life < lives; ++life) {
      add_life();
      const int steps = between(3, 9);
      for (int step = 0; step < steps; ++step) add_step();
      add_end();
    }
    return std::move(plan_);
  }

 private:
  int between(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <class Texts>
  std::string one_of(const Texts& texts) {
    return texts[random_() % std::size(texts)];
  }
  void add(const std::string& verb, std::map<std::string, std::string> details = {}) {
    plan_.steps.push_back({verb, std::move(details)});
  }

  void add_life() {
    std::map<std::string, std::string> life{{"linger", std::to_string(random_() % 1'000'000 + 1)},
                                            {"workers", std::to_string(between(1, 3))}};
    if (chance(60)) {
      life["kill"] = one_of(kKillPoints);
      life["nth"] = std::to_string(between(1, 12));
    }
    if (chance(30)) life["dwell"] = one_of(kKillPoints);
    if (chance(30)) life["clock"] = std::to_string(between(-48, 48));
    impatient_ = chance(40);
    if (impatient_) life["busy"] = std::to_string(between(30, 300));
    add("life", std::move(life));
    // Publishers that do not know what became of what they published when the process died.
    if (!bursts_.empty() && chance(50)) plan_.steps.push_back(bursts_.back());
  }

  /// Many connections that publish in their transactions, beside handlers that do.
  void add_tills() {
    add("life", {{"linger", std::to_string(random_() % 1'000'000 + 1)},
                 {"workers", std::to_string(between(2, 3))},
                 {"dwell", one_of(kSeams)}});
    for (int bursts = between(2, 3); bursts > 0; --bursts) {
      const int threads = between(2, 3);
      const int events = between(4, 8);
      add("burst", {{"what", chance(80) ? "payment" : "order"},
                    {"how", "in"},
                    {"durability", "crash"},
                    {"first", std::to_string(next_)},
                    {"threads", std::to_string(threads)},
                    {"events", std::to_string(events)}});
      next_ += threads * events;
    }
    add("quiet");
  }

  void add_step() {
    const int draw = between(1, 100);
    if (draw <= 40) return add_burst();
    if (draw <= 47) return add("quiet");
    if (draw <= 54) return add_redrive();
    if (draw <= 61) return add_tool();
    if (draw <= 67) return add_switch();
    if (draw <= 71) return add("clock", {{"hours", std::to_string(between(-48, 48))}});
    if (draw <= 75) return add("join");
    if (draw <= 86) return add_trouble();
    if (!bursts_.empty() && draw <= 92) return plan_.steps.push_back(bursts_[random_() % bursts_.size()]);
    add_burst();
  }

  /// A failing disk, a database that another process holds, or short memory, and what happens meanwhile. Who
  /// is patient would wait for the database for too long.
  void add_trouble() {
    const int draw = between(1, impatient_ ? 3 : 2);
    if (draw == 1) {
      add("disk", {{"what", chance(60) ? "full" : "io"},
                   {"nth", std::to_string(between(1, 20))},
                   {"lasting", chance(60) ? "1" : "0"}});
    } else if (draw == 2) {
      const int nth = between(1, chance(50) ? 60 : 3'000);
      add("memory", {{"nth", std::to_string(nth)}, {"burst", chance(50) ? "1" : "20"}});
    } else {
      add("lock");
    }
    for (int steps = between(1, 2); steps > 0; --steps) chance(70) ? add_burst() : add_redrive();
    if (draw == 3) return add("unlock");
    if (chance(50)) add("heal");
  }

  void add_burst() {
    static constexpr std::array kWhats{"order",   "order",  "order", "payment",
                                       "payment", "parcel", "stray", "stray"};
    static constexpr std::array kHows{"plain", "plain", "batch", "in", "in", "json"};
    std::map<std::string, std::string> burst{{"what", one_of(kWhats)}, {"how", one_of(kHows)}};
    const int threads = between(1, 3);
    const int events = between(1, 8);
    burst["first"] = std::to_string(next_);
    burst["threads"] = std::to_string(threads);
    burst["events"] = std::to_string(events);
    next_ += threads * events;
    const bool durable = burst["what"] == "payment" || burst["how"] == "in" || chance(70);
    burst["durability"] = durable ? (chance(25) ? "power" : "crash") : "none";
    const bool alone = burst["how"] == "plain" || burst["how"] == "json";
    if (alone && durable && chance(burst["what"] == "stray" ? 80 : 30)) {
      burst["keys"] = "1";
      if (chance(30)) burst["twice"] = "1";
    }
    if (alone && chance(10)) burst["allocation"] = std::to_string(between(1, 60));
    add("burst", burst);
    if (burst.contains("keys")) bursts_.push_back(plan_.steps.back());
  }

  void add_redrive() {
    std::map<std::string, std::string> details;
    if (chance(40)) details["canary"] = std::to_string(between(1, 3));
    if (chance(30)) details["stop"] = std::to_string(between(1, 3));
    add("redrive", std::move(details));
    if (chance(50)) add_tool();
  }

  void add_tool() {
    static constexpr std::array kVerbs{"retry", "retry_one", "discard", "discard",
                                       "edit",  "edit",      "undo",    "purge"};
    std::map<std::string, std::string> details{{"verb", one_of(kVerbs)}};
    if (details["verb"] == "retry" && chance(50)) details["canary"] = std::to_string(between(1, 3));
    if (details["verb"] == "retry" && chance(30)) details["stop"] = std::to_string(between(1, 3));
    details["pick"] = std::to_string(between(0, 20));
    add("tool", std::move(details));
  }

  void add_switch() {
    static constexpr std::array kHandlers{"book", "ship", "pack", "mail", "post", "ledger", "weigh", "load"};
    const std::string handler = one_of(kHandlers);
    add("off", {{"handler", handler}});
    if (chance(50)) add_burst();
    if (chance(70)) add("on", {{"handler", handler}});
  }

  void add_end() {
    if (chance(40)) add("kill", {{"lines", std::to_string(between(1, 60))}});
    if (chance(50)) add("stop", {{"ms", chance(50) ? "0" : "200"}, {"sick", chance(30) ? "1" : "0"}});
  }

  std::mt19937_64 random_;
  Plan plan_;
  int next_ = 1;
  bool impatient_ = false;    // the life that is being planned
  std::vector<Step> bursts_;  // that may be repeated: what they publish has keys
};

}  // namespace

Plan plan_of(std::uint64_t seed) { return Generator(seed).plan(); }

}  // namespace tidings::simulation
