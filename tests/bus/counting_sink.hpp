#pragma once

#include <tidings/letter_sink.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::test {

/// Counts letters by handler, and repeated ones apart: for tests that add up what became of each
/// delivery. Thread-safe.
class CountingSink final : public LetterSink {
 public:
  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy) override {
    const std::lock_guard lock(mutex_);
    std::vector<LetterOutcome> outcomes;
    for (const DeadLetter& letter : letters) {
      if (known_.emplace(letter.metadata.event_id.to_string(), letter.handler).second) {
        ++counts_[letter.handler];
      } else {
        ++repeated_;
      }
      outcomes.push_back({.place = LetterOutcome::Place::Stored, .id = 1, .problem = {}});
    }
    return outcomes;
  }
  std::vector<std::string> dead_keys(std::string_view, std::string_view, std::string_view) override {
    return {};
  }

  [[nodiscard]] std::size_t count(const std::string& handler) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(handler);
    return found == counts_.end() ? 0 : found->second;
  }
  /// Deliveries that were given more than one letter.
  [[nodiscard]] std::size_t repeated() const {
    const std::lock_guard lock(mutex_);
    return repeated_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> known_;  // guarded by mutex_
  std::map<std::string, std::size_t> counts_;            // guarded by mutex_
  std::size_t repeated_ = 0;                             // guarded by mutex_
};

}  // namespace tidings::test
