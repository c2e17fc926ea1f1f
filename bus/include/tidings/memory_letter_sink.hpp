#pragma once

#include <tidings/letter_sink.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace tidings {

/// Keeps letters in memory and supports redrives, for the tests of services. Destroying the object deletes
/// its letters. Thread-safe.
class MemoryLetterSink final : public LetterSink {
 public:
  explicit MemoryLetterSink(PayloadEncryption encryption = {});
  ~MemoryLetterSink() override;

  [[nodiscard]] std::vector<LetterOutcome> store(std::span<const DeadLetter> letters,
                                                 WhenBusy when_busy) override;
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) override;
  [[nodiscard]] std::optional<UnresolvedLetters> unresolved_letters(std::string_view service) override;
  [[nodiscard]] Redrives* redrives() noexcept override;
  [[nodiscard]] PayloadEncryption encryption() const override;

  /// All letters so far, in the order they were stored; the id of letters()[i] is i + 1. A redrive that fails
  /// changes its letter; one that succeeds leaves it as it was.
  [[nodiscard]] std::vector<DeadLetter> letters() const;
  /// Those that no redrive has resolved.
  [[nodiscard]] std::vector<DeadLetter> unresolved() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tidings
