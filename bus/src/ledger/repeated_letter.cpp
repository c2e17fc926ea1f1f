#include <tidings/journal.hpp>

namespace tidings {

bool is_of_repeat(const DeadLetter& letter, const JournalBatch& batch,
                  std::span<const std::optional<EventId>> repeats) noexcept {
  for (std::size_t i = 0; i < batch.appended.size() && i < repeats.size(); ++i) {
    if (repeats[i] && batch.appended[i].metadata->event_id == letter.metadata.event_id) return true;
  }
  return false;
}

}  // namespace tidings
