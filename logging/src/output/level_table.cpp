#include "output/level_table.hpp"

namespace tidings::logging {

LevelTable::LevelTable(Level root) { configured_.emplace("", root); }

const std::atomic<std::uint8_t>* LevelTable::threshold(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = thresholds_.find(name);
  if (found != thresholds_.end()) return &found->second;
  return &thresholds_.try_emplace(std::string(name), static_cast<std::uint8_t>(effective(name)))
              .first->second;
}

void LevelTable::set(std::string_view prefix, Level level) {
  const std::lock_guard lock(mutex_);
  configured_.insert_or_assign(std::string(prefix), level);
  for (auto& [name, threshold] : thresholds_) {
    threshold.store(static_cast<std::uint8_t>(effective(name)), std::memory_order_relaxed);
  }
}

// The longest configured prefix that ends at a dot of the name or at its end; the empty one is always there.
Level LevelTable::effective(std::string_view name) const {
  while (true) {
    const auto found = configured_.find(name);
    if (found != configured_.end()) return found->second;
    const std::size_t dot = name.rfind('.');
    name = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
  }
}

}  // namespace tidings::logging
