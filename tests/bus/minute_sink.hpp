#pragma once

#include <tidings/error.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/minutes.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::test {

/// Another sink, with the sums of what a bus counted. Thread-safe.
class MinuteSink final : public LetterSink, public Minutes {
 public:
  explicit MinuteSink(std::shared_ptr<LetterSink> letters) : letters_(std::move(letters)) {}

  std::vector<LetterOutcome> store(std::span<const DeadLetter> letters, WhenBusy when_busy) override {
    return letters_->store(letters, when_busy);
  }
  std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                     std::string_view handler) override {
    return letters_->dead_keys(service, event_type, handler);
  }
  std::optional<UnresolvedLetters> unresolved_letters(std::string_view service) override {
    return letters_->unresolved_letters(service);
  }
  Journal* journal() noexcept override { return letters_->journal(); }
  Redrives* redrives() noexcept override { return letters_->redrives(); }
  Minutes* minutes() noexcept override { return this; }

  void add(std::string_view service, std::span<const MinuteRow> rows) override {
    const std::lock_guard lock(mutex_);
    services_.insert(std::string(service));
    for (const MinuteRow& row : rows) waiting_.push_back(row);
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    ++flushes_;
    if (problem_) throw *problem_;
    for (const MinuteRow& row : waiting_) {
      kept_[{row.event_type, row.handler}] += row.counts;
      minutes_.insert(row.minute);
    }
    waiting_.clear();
  }

  /// From now on flush() throws it.
  void refuse(std::optional<Error> problem) {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }
  /// The sum over all minutes. An empty handler: of the type.
  [[nodiscard]] DeliveryCounts kept(const std::string& event_type, const std::string& handler) const {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find({event_type, handler});
    return found == kept_.end() ? DeliveryCounts{} : found->second;
  }
  [[nodiscard]] std::size_t keys() const {
    const std::lock_guard lock(mutex_);
    return kept_.size();
  }
  [[nodiscard]] std::set<Timestamp> minutes_kept() const {
    const std::lock_guard lock(mutex_);
    return minutes_;
  }
  [[nodiscard]] int flushes() const {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }
  [[nodiscard]] std::set<std::string> services() const {
    const std::lock_guard lock(mutex_);
    return services_;
  }

 private:
  const std::shared_ptr<LetterSink> letters_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<MinuteRow> waiting_;
  std::map<std::pair<std::string, std::string>, DeliveryCounts> kept_;
  std::set<Timestamp> minutes_;
  std::set<std::string> services_;
  std::optional<Error> problem_;
  int flushes_ = 0;
};

}  // namespace tidings::test
