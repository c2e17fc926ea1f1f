#include "memory/shop.hpp"

#include <tidings/error.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <set>

// SQLite's own allocations fail, on whatever thread they are made.

namespace tidings::memory {
namespace {

std::atomic<std::uint64_t> sqlite_asked{0};
std::atomic<std::uint64_t> sqlite_first{0};
std::atomic<std::uint64_t> sqlite_last{0};
sqlite3_mem_methods usual_methods;

bool is_refused_to_sqlite() {
  if (sqlite_first.load() == 0) return false;
  const std::uint64_t number = sqlite_asked.fetch_add(1) + 1;
  return number >= sqlite_first.load() && number <= sqlite_last.load();
}

void* scarce_malloc(int bytes) { return is_refused_to_sqlite() ? nullptr : usual_methods.xMalloc(bytes); }
void* scarce_realloc(void* memory, int bytes) {
  return is_refused_to_sqlite() ? nullptr : usual_methods.xRealloc(memory, bytes);
}

/// Before anything of SQLite is used in this process.
const int installed = [] {
  if (const int code = ::sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual_methods); code != SQLITE_OK)
    return code;
  static sqlite3_mem_methods methods = usual_methods;
  methods.xMalloc = scarce_malloc;
  methods.xRealloc = scarce_realloc;
  return ::sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}();

/// While it lives, SQLite gets no memory for some of what it asks.
class ScarceSqlite {
 public:
  ScarceSqlite(std::uint64_t nth, std::uint64_t burst) {
    sqlite_asked.store(0);
    sqlite_last.store(nth + burst - 1);
    sqlite_first.store(nth);
  }
  ~ScarceSqlite() { sqlite_first.store(0); }
  ScarceSqlite(const ScarceSqlite&) = delete;
  ScarceSqlite& operator=(const ScarceSqlite&) = delete;
  [[nodiscard]] static bool struck() { return sqlite_asked.load() >= sqlite_first.load(); }
};

class SqliteMemoryTest : public ScarceMemoryTest {
 protected:
  template <class Act>
  void sweep_sqlite(Bus& bus, Act act) {
    for (const std::uint64_t burst : {std::uint64_t{1}, std::uint64_t{20}}) {
      bool struck = true;
      for (std::uint64_t nth = 1; struck && !HasFatalFailure(); nth += (burst + 1) / 2) {
        SCOPED_TRACE("burst of " + std::to_string(burst) + " from allocation " + std::to_string(nth));
        const std::int64_t order = next_order_++;
        {
          const ScarceSqlite scarce(nth, burst);
          try_once(act, order);
          wait_idle_if_it_can(bus);
          struck = ScarceSqlite::struck();
        }
        ASSERT_TRUE(bus.wait_idle(kLong));
      }
    }
  }
  /// What is owed cannot be read without memory either.
  static void wait_idle_if_it_can(Bus& bus) {
    try {
      EXPECT_TRUE(bus.wait_idle(kLong));
    } catch (const std::bad_alloc&) {
    } catch (const Error&) {
    }
  }
  /// An order whose commit was in doubt may be there or not.
  [[nodiscard]] int most_of(std::int64_t order) const { return refused_.contains(order) ? 0 : 1; }
  [[nodiscard]] int least_of(std::int64_t order) const {
    return refused_.contains(order) || in_doubt_.contains(order) ? 0 : 1;
  }

 private:
  template <class Act>
  void try_once(Act& act, std::int64_t order) {
    try {
      act(order);
    } catch (const std::bad_alloc&) {
      refused_.insert(order);
    } catch (const Error& error) {
      (error.code() == ErrorCode::InDoubt ? in_doubt_ : refused_).insert(order);
    }
  }

  std::set<std::int64_t> refused_;
  std::set<std::int64_t> in_doubt_;
};

TEST_F(SqliteMemoryTest, SqliteTakesItsMemoryFromHere) { EXPECT_EQ(installed, SQLITE_OK); }

TEST_F(SqliteMemoryTest, DurableOrdersAreHandledOnceOrRefused) {
  Bus bus(options(Durability::ProcessCrash));
  bus.subscribe<Order>("queued", done_by("queued"), {.dispatch = Dispatch::Queued}).keep();
  bus.subscribe<Order>("inline_later", done_at_the_second_attempt_by("inline_later"),
                       {.retry = {.max_attempts = 50, .backoff = constant(1ms)}})
      .keep();
  sweep_sqlite(bus, [&](std::int64_t order) { bus.publish(Order{order}); });
  EXPECT_GT(next_order_, 50);
  for (const std::string handler : {"queued", "inline_later"}) {
    for (std::int64_t order = 0; order < next_order_; ++order) {
      const int done = done_[handler][static_cast<std::size_t>(order)];
      ASSERT_LE(done, most_of(order)) << handler << ", order " << order;
      ASSERT_GE(done, least_of(order)) << handler << ", order " << order;
    }
  }
  EXPECT_EQ(query("SELECT count(*) FROM tidings_journal"), "0");
}

TEST_F(SqliteMemoryTest, LettersAreStoredOrSpilledOnce) {
  {
    Bus bus(options(Durability::None));
    bus.subscribe<Order>("fails", fails(), {.retry = {.max_attempts = 1}}).keep();
    sweep_sqlite(bus, [&](std::int64_t order) { bus.publish(Order{order}); });
  }
  while (open()->import_spilled().more) {
  }
  EXPECT_EQ(query("SELECT count(DISTINCT json_extract(event_data, '$.number')) FROM dead_letters"),
            std::to_string(next_order_));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters"), std::to_string(next_order_));
}

}  // namespace
}  // namespace tidings::memory
