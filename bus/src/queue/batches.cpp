#include "queue/batches.hpp"

#include <tidings/detail/patiently.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace tidings::detail {

namespace {

/// How many empty batches are kept for publishers (at most 2 KiB each).
constexpr std::size_t kSparesKept = 32;

}  // namespace

/// What needs memory comes first: an empty batch in between would hide those behind it.
void Batches::add_batch() {
  patiently([&] {
    if (spares_.empty()) spares_.emplace_front();
    spares_.front().reserve(batch_size_);
  });
  incoming_.splice(incoming_.end(), spares_, spares_.begin());
}

bool Batches::add(Delivery& delivery) {
  if (incoming_.empty() || incoming_.back().size() == batch_size_) add_batch();
  incoming_.back().push_back(std::move(delivery));
  waiting_.store(incoming_.size(), std::memory_order_relaxed);
  if (permits_ >= concurrency_) return false;
  ++permits_;
  return true;
}

Batch& Batches::begin_serving() {
  const auto is_free = [](const auto& batch) { return !batch->held_; };
  const auto is_left = [](const auto& batch) { return !batch->held_ && batch->has_more(); };
  auto found = std::find_if(batches_.begin(), batches_.end(), is_left);
  if (found == batches_.end()) found = std::find_if(batches_.begin(), batches_.end(), is_free);
  if (found == batches_.end()) {
    auto batch = patiently([&] {
      auto made = std::make_unique<Batch>();
      made->events_.reserve(batch_size_);  // fill() must not throw
      return made;
    });
    patiently([&] { batches_.reserve(batches_.size() + 1); });
    found = batches_.insert(batches_.end(), std::move(batch));
  }
  (*found)->held_ = true;
  return **found;
}

std::optional<Delivery> Batches::take_more(Batch& batch) {
  fill(batch);
  std::optional<Delivery> delivery = batch.take();
  if (!delivery) delivery = take_from_others(batch);
  if (delivery) return delivery;
  batch.held_ = false;
  --permits_;
  return std::nullopt;
}

void Batches::fill(Batch& batch) {
  batch.deliveries_.clear();
  if (!incoming_.empty()) {
    batch.deliveries_.swap(incoming_.front());
    if (spares_.size() < kSparesKept && incoming_.front().capacity() > 0) {
      spares_.splice(spares_.begin(), incoming_, incoming_.begin());
    } else {
      incoming_.pop_front();
    }
  }
  waiting_.store(incoming_.size(), std::memory_order_relaxed);
  batch.events_.clear();
  for (const Delivery& delivery : batch.deliveries_) batch.events_.push_back(delivery.event.get());
  for (std::size_t ahead = 0; ahead < std::min(Batch::kFetchedAhead, batch.events_.size()); ++ahead)
    prefetch_to_read(batch.events_[ahead], Batch::kFetchedOfEach);
  batch.next_.store(0, std::memory_order_release);
}

std::optional<Delivery> Batches::take_from_others(const Batch& mine) {
  for (const auto& batch : batches_) {
    if (batch.get() == &mine || !batch->has_more()) continue;
    if (auto delivery = batch->take()) return delivery;
  }
  return std::nullopt;
}

void Batches::surrender(std::vector<Delivery>& rest) noexcept {
  for (const auto& batch : batches_) batch->surrender(rest);
  for (auto& batch : incoming_) std::move(batch.begin(), batch.end(), std::back_inserter(rest));
  incoming_.clear();
  waiting_.store(0, std::memory_order_relaxed);
}

}  // namespace tidings::detail
