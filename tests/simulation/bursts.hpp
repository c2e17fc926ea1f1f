#pragma once

#include "simulation/shop.hpp"

#include <list>
#include <string>
#include <thread>

namespace tidings::simulation {

/// Threads that publish for the shop while the driver goes on with its plan.
///
/// The details of a burst: what (order, payment, parcel, stray), first (number), threads, events (of each
/// thread), how (plain, batch, in: each in a transaction of the shop's own, every fourth of them rolled back;
/// json: by type name, parcels as version 1), durability (none, crash, power), keys (1: with idempotency
/// keys), twice (1: what has a key is published again at once), allocation (the nth of each publish fails).
class Bursts {
 public:
  explicit Bursts(Shop& shop) : shop_(shop) {}
  Bursts(const Bursts&) = delete;
  Bursts& operator=(const Bursts&) = delete;
  ~Bursts() { join(); }

  void start(const Step& burst);
  void join();

 private:
  Shop& shop_;
  std::list<std::thread> threads_;
};

/// Whether the transaction that it is published in is rolled back.
[[nodiscard]] inline bool is_rolled_back(std::int64_t number) { return number % 4 == 0; }

}  // namespace tidings::simulation
