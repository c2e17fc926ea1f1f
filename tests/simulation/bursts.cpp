#include "simulation/bursts.hpp"

#include "simulation/handling.hpp"

#include <tidings/deadletter/transaction.hpp>
#include <tidings/detail/kill_point.hpp>
#include <tidings/error.hpp>

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <vector>

namespace tidings::simulation {
namespace {

class Connection {
 public:
  explicit Connection(const Shop& shop) {
    if (sqlite3_open(shop.database().c_str(), &handle_) != SQLITE_OK)
      throw StorageTrouble("cannot be opened");
    sqlite3_busy_timeout(handle_, 20'000);
    execute(handle_, "PRAGMA synchronous = FULL");  // reads the schema, and may wait for a lock
    sqlite3_busy_timeout(handle_, static_cast<int>(shop.busy_timeout().count()));
  }
  ~Connection() { sqlite3_close(handle_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

/// One thread of a burst.
class Publisher {
 public:
  Publisher(Shop& shop, const Step& burst, std::int64_t first) : shop_(shop), burst_(burst), first_(first) {
    const std::string durability = burst.text("durability", "crash");
    if (durability == "crash") options_.durability = Durability::ProcessCrash;
    if (durability == "power") options_.durability = Durability::PowerLoss;
    if (durability == "none") options_.durability = Durability::None;
  }

  void run() {
    plenty_.emplace();
    const std::string what = burst_.text("what", "order");
    if (what == "order") publish<Order>();
    if (what == "payment") publish<Payment>();
    if (what == "parcel") publish<Parcel>();
    if (what == "stray") publish<Stray>();
    plenty_.reset();
  }

 private:
  [[nodiscard]] std::int64_t end() const { return first_ + burst_.number("events", 1); }

  template <class E>
  void publish() {
    const std::string how = burst_.text("how", "plain");
    if (how == "batch") return publish_batch<E>();
    if (how == "in") return publish_in_transactions<E>();
    for (std::int64_t number = first_; number < end(); ++number) {
      publish_one<E>(number, how == "json");
      if (burst_.number("twice") != 0) publish_one<E>(number, how == "json");
    }
  }

  template <class E>
  void publish_one(std::int64_t number, bool by_name) {
    const std::string key = "key-" + std::to_string(number);
    PublishOptions options = options_;
    if (burst_.number("keys") != 0) options.idempotency_key = key;
    shop_.scribe().tell("try", number, to_string(*options.durability));
    told(number, number + 1, [&] {
      const Json data = by_name ? as_json(E{number, false}) : Json();
      std::vector<PublishResult> results(1);
      std::optional<memory::ScarceMemory> scarce;
      const auto nth = static_cast<std::uint64_t>(burst_.number("allocation"));
      if (nth > 0) scarce.emplace(memory::Whose::Caller, nth, 1);
      const Exposed exposed(plenty_);
      results[0] = by_name ? shop_.bus().publish(E::event_type, data, options, version_of(E{}))
                           : shop_.bus().publish(E{number, false}, options);
      return results;
    });
  }

  template <class E>
  void publish_batch() {
    std::vector<E> events;
    for (std::int64_t number = first_; number < end(); ++number) {
      events.push_back({number, false});
      shop_.scribe().tell("try", number, to_string(*options_.durability));
    }
    told(first_, end(), [&] {
      const Exposed exposed(plenty_);
      return shop_.bus().publish_batch(events, options_);
    });
  }

  template <class E>
  void publish_in_transactions() {
    const Connection connection(shop_);
    for (std::int64_t number = first_; number < end(); ++number) {
      shop_.scribe().tell("try", number, "in");
      try {
        publish_in_transaction(connection.handle(), E{number, false});
      } catch (const std::exception&) {
        if (sqlite3_get_autocommit(connection.handle()) == 0) execute(connection.handle(), "ROLLBACK");
        shop_.scribe().tell("undone", number);
      }
    }
  }

  template <class E>
  void publish_in_transaction(sqlite3* connection, const E& event) {
    execute(connection, "BEGIN IMMEDIATE; INSERT INTO placed VALUES (" + std::to_string(event.number) + ")");
    {
      const Exposed exposed(plenty_);
      deadletter::publish_in(connection, shop_.bus(), event, options_);
    }
    detail::kill_point("shop.published");
    const bool rolled_back = is_rolled_back(event.number);
    execute(connection, rolled_back ? "ROLLBACK" : "COMMIT");
    detail::kill_point("shop.committed");
    shop_.scribe().tell(rolled_back ? "undone" : "accepted", event.number, "in");
    shop_.bus().notify();
  }

  template <class E>
  static Json as_json(const E& event) {
    return Json(event);
  }
  static Json as_json(const Parcel& parcel) { return Json{{"n", parcel.number}}; }
  template <class E>
  static int version_of(const E& /*event*/) {
    return 1;
  }

  /// Writes down what came of a publish of the numbers from `first` to before `end`.
  void told(std::int64_t first, std::int64_t end,
            const std::function<std::vector<PublishResult>()>& publish) {
    try {
      const std::vector<PublishResult> results = publish();
      for (const PublishResult& result : results) {
        shop_.scribe().tell(result.duplicate ? "duplicate" : "accepted", first++,
                            result.event_id.to_string());
      }
    } catch (const Error& error) {
      const bool doubted = error.code() == ErrorCode::InDoubt || in_part(first, end);
      for (; first < end; ++first)
        shop_.scribe().tell(doubted ? "doubted" : "refused", first, to_string(error.code()));
    } catch (const std::bad_alloc&) {
      const auto* const how = in_part(first, end) ? "doubted" : "refused";
      for (; first < end; ++first) shop_.scribe().tell(how, first, "bad_alloc");
    }
  }

  /// A batch that is not durable is published one by one: some of it may have been delivered.
  [[nodiscard]] bool in_part(std::int64_t first, std::int64_t end) const {
    return end - first > 1 && options_.durability == Durability::None;
  }
  static std::string_view to_string(Durability durability) {
    return durability == Durability::None ? "none" : "durable";
  }
  static std::string_view to_string(ErrorCode code) { return tidings::to_string(code); }

  Shop& shop_;
  const Step burst_;
  const std::int64_t first_;
  PublishOptions options_ = {};
  std::optional<memory::Plenty> plenty_;
};

}  // namespace

void Bursts::start(const Step& burst) {
  for (std::int64_t thread = 0; thread < burst.number("threads", 1); ++thread) {
    const std::int64_t first = burst.number("first", 1) + thread * burst.number("events", 1);
    threads_.emplace_back(
        [publisher = std::make_unique<Publisher>(shop_, burst, first)] { publisher->run(); });
  }
}

void Bursts::join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tidings::simulation
