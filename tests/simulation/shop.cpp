#include "simulation/shop.hpp"

#include "deadletter/faults/faulty_vfs.hpp"
#include "simulation/handling.hpp"
#include "store/open_store.hpp"

#include <sqlite3.h>

#include <stdexcept>
#include <utility>

namespace tidings::simulation {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS effects (handler TEXT, number INTEGER);"
    "CREATE TABLE IF NOT EXISTS placed (number INTEGER);"
    "CREATE TABLE IF NOT EXISTS gone (handler TEXT, number INTEGER, resolution TEXT);"
    "CREATE TRIGGER IF NOT EXISTS sim_gone AFTER DELETE ON dead_letters BEGIN INSERT INTO gone VALUES "
    "(old.handler, coalesce(old.event_data ->> '$.number', old.event_data ->> '$.n'), old.resolution); END;";

std::shared_ptr<deadletter::Store> opened(const std::filesystem::path& database, const Step& life,
                                          std::chrono::milliseconds busy_timeout) {
  deadletter::StoreInternals internals;
  internals.vfs = deadletter::faults::FaultyVfs::instance().kName;
  // The leases of earlier lives are over.
  const std::int64_t later = life.number("number") * 31'000'000;
  internals.boot_time = [later] { return deadletter::boot_time_now() + later; };
  return deadletter::open_store(database, {.busy_timeout = busy_timeout, .spill_reserve = 0},
                                std::move(internals));
}

void make_tables(const std::filesystem::path& database) {
  sqlite3* connection = nullptr;
  if (sqlite3_open(database.c_str(), &connection) != SQLITE_OK) throw std::runtime_error("no tables");
  sqlite3_busy_timeout(connection, 20'000);
  execute(connection, kTables);
  sqlite3_close(connection);
}

}  // namespace

void execute(sqlite3* connection, const std::string& sql) {
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw StorageTrouble(sqlite3_errmsg(connection));
}

Shop::Shop(std::filesystem::path database, const Step& life, const Scribe& scribe)
    : database_(std::move(database)),
      scribe_(scribe),
      mended_(life.number("mended") != 0),
      busy_timeout_(life.number("busy", 20'000)) {
  store_ = opened(database_, life, busy_timeout_);
  make_tables(database_);
  clock_ = std::make_shared<WallClock>(life.number("clock"));
  bus_ = std::make_unique<Bus>(BusOptions{.service = "shop",
                                          .store = store_,
                                          .durability = Durability::ProcessCrash,
                                          .logger = logging::Logger({.level = logging::Level::Off}),
                                          .workers = static_cast<std::size_t>(life.number("workers", 2)),
                                          .unhandled = Unhandled::DeadLetter,
                                          .clock = clock_});
  bus_->upcast<Parcel>(1, [](Json old) {
    return Json{{"number", old.at("n")}, {"mended", old.value("mended", false)}};
  });
  subscribe_all();
}

/// Those who publish for others come after them: what they are owed comes as soon as they subscribe.
void Shop::subscribe_all() {
  for (const char* kind : {"receipt", "order", "parcel", "payment"})
    for (const std::string& handler : handlers_of(kind)) subscribe(handler);
}

void Shop::subscribe(const std::string& handler) {
  if (has(handler)) return;
  subscriptions_[handler] = subscribed(handler);
  scribe_.write("on " + handler);
}

void Shop::unsubscribe(const std::string& handler) {
  if (!has(handler)) return;
  scribe_.write("off " + handler);
  subscriptions_.erase(handler);
}

template <class E>
Subscription Shop::added(const std::string& handler, SubscribeOptions<E> options) {
  return bus_->subscribe<E>(
      handler,
      [this, handling = Handling(scribe_, handler, mended_, options.retry.max_attempts)](
          const E& event, const EventContext& context) {
        handling(event, context, [&] { this->work(event, context); });
      },
      std::move(options));
}

void Shop::work(const Payment& payment, const EventContext& context) {
  if (context.handler() != "bank") return;
  write_effect(context, payment.number);
  bus_->publish(Receipt{payment.number, payment.mended});
}

void Shop::work(const Receipt& receipt, const EventContext& context) {
  if (context.handler() == "file") write_effect(context, receipt.number);
}

Subscription Shop::order_handler(const std::string& handler) {
  const auto key = [](const Order& order) { return key_of(order.number); };
  if (handler == "book") return added<Order>(handler, {});
  if (handler == "ship") {
    return added<Order>(handler, {.dispatch = Dispatch::Queued,
                                  .retry = {.backoff = constant(1ms)},
                                  .concurrency = 2,
                                  .ordering_key = key});
  }
  if (handler == "pack") {
    return added<Order>(handler, {.dispatch = Dispatch::Queued,
                                  .queue_capacity = 6,
                                  .ordering_key = key,
                                  .after_death = AfterDeath::Park});
  }
  if (handler == "mail") return added<Order>(handler, {.dispatch = Dispatch::Queued, .queue_capacity = 2});
  return added<Order>(handler, {.dispatch = Dispatch::Queued,
                                .retry = {.max_attempts = 2, .backoff = constant(8ms)},
                                .concurrency = 2});
}

Subscription Shop::subscribed(const std::string& handler) {
  if (handler == "desk") return added<Payment>(handler, {});
  if (handler == "ledger") return added<Payment>(handler, {.dispatch = Dispatch::Queued});
  if (handler == "bank") {
    return added<Payment>(handler, {.dispatch = Dispatch::Queued, .retry = {.backoff = constant(2ms)}});
  }
  if (handler == "file") return added<Receipt>(handler, {.dispatch = Dispatch::Queued});
  if (handler == "stamp") return added<Receipt>(handler, {});
  if (handler == "weigh") return added<Parcel>(handler, {});
  if (handler == "load") return added<Parcel>(handler, {.dispatch = Dispatch::Queued, .queue_capacity = 1});
  return order_handler(handler);
}

}  // namespace tidings::simulation
