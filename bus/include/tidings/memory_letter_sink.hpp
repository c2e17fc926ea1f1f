#pragma once

#include <tidings/letter_sink.hpp>

#include <cstdint>
#include <mutex>
#include <vector>

namespace tidings {

/// Keeps letters in memory: for the tests of services. They are gone with the object. Thread-safe.
class MemoryLetterSink final : public LetterSink {
 public:
  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters,
                                                 WhenBusy when_busy) override;
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) override;

  /// All letters so far, in the order they were stored; the id of letters()[i] is i + 1.
  [[nodiscard]] std::vector<DeadLetter> letters() const;

 private:
  mutable std::mutex mutex_;
  std::vector<DeadLetter> letters_;  // guarded by mutex_
};

}  // namespace tidings
