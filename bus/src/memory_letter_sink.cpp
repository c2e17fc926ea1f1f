#include <tidings/memory_letter_sink.hpp>

#include <algorithm>

namespace tidings {
namespace {

bool is_same_delivery(const DeadLetter& left, const DeadLetter& right) {
  return left.metadata.event_id == right.metadata.event_id && left.service == right.service &&
         left.handler == right.handler;
}

}  // namespace

std::vector<LetterOutcome> MemoryLetterSink::store(std::span<const DeadLetter> letters, WhenBusy) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  const std::lock_guard lock(mutex_);
  for (const DeadLetter& letter : letters) {
    const auto known = std::find_if(letters_.begin(), letters_.end(), [&letter](const DeadLetter& other) {
      return is_same_delivery(letter, other);
    });
    const bool is_new = known == letters_.end();
    const std::int64_t id = known - letters_.begin() + 1;
    if (is_new) letters_.push_back(letter);
    outcomes.push_back({.place = is_new ? LetterOutcome::Place::Stored : LetterOutcome::Place::AlreadyStored,
                        .id = id,
                        .problem = {}});
  }
  return outcomes;
}

std::vector<std::string> MemoryLetterSink::dead_keys(std::string_view service, std::string_view event_type,
                                                     std::string_view handler) {
  std::vector<std::string> keys;
  const std::lock_guard lock(mutex_);
  for (const DeadLetter& letter : letters_) {
    if (!letter.ordering_key || letter.service != service || letter.event_type != event_type) continue;
    if (letter.handler != handler) continue;
    if (std::find(keys.begin(), keys.end(), *letter.ordering_key) == keys.end())
      keys.push_back(*letter.ordering_key);
  }
  return keys;
}

std::vector<DeadLetter> MemoryLetterSink::letters() const {
  const std::lock_guard lock(mutex_);
  return letters_;
}

}  // namespace tidings
