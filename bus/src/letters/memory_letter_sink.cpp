#include <tidings/memory_letter_sink.hpp>

#include "letters/memory_redrives.hpp"

#include <algorithm>
#include <utility>

namespace tidings {

class MemoryLetterSink::Implementation {
 public:
  detail::MemoryRedrives letters;
  PayloadEncryption encryption;
};

MemoryLetterSink::MemoryLetterSink(PayloadEncryption encryption)
    : implementation_(std::make_unique<Implementation>()) {
  implementation_->encryption = std::move(encryption);
}
MemoryLetterSink::~MemoryLetterSink() = default;

std::vector<LetterOutcome> MemoryLetterSink::store(std::span<const DeadLetter> letters, WhenBusy) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  for (const DeadLetter& letter : letters) {
    const auto added = implementation_->letters.add(letter);
    outcomes.push_back(
        {.place = added.is_new ? LetterOutcome::Place::Stored : LetterOutcome::Place::AlreadyStored,
         .id = added.id,
         .problem = {}});
  }
  return outcomes;
}

std::vector<std::string> MemoryLetterSink::dead_keys(std::string_view service, std::string_view event_type,
                                                     std::string_view handler) {
  return implementation_->letters.dead_keys(service, event_type, handler);
}

std::optional<UnresolvedLetters> MemoryLetterSink::unresolved_letters(std::string_view service) {
  UnresolvedLetters found;
  for (const DeadLetter& letter : unresolved()) {
    if (letter.service != service) continue;
    ++found.letters;
    found.oldest_failed_at = std::min(found.oldest_failed_at.value_or(letter.failed_at), letter.failed_at);
  }
  return found;
}

PayloadEncryption MemoryLetterSink::encryption() const { return implementation_->encryption; }

Redrives* MemoryLetterSink::redrives() noexcept { return &implementation_->letters; }

std::vector<DeadLetter> MemoryLetterSink::letters() const { return implementation_->letters.letters(true); }

std::vector<DeadLetter> MemoryLetterSink::unresolved() const {
  return implementation_->letters.letters(false);
}

}  // namespace tidings
