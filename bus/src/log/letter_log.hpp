#pragma once

#include "log/record_log.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/letter_sink.hpp>
#include <tidings/redrive.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidings::detail {

/// What a bus logs of dead letters, of where they are kept, and of their redrives. A part of BusLog.
class LetterLog {
 public:
  explicit LetterLog(RecordLog& records) noexcept : records_(records) {}

  /// A delivery gave up, and why. Its letter is stored afterwards.
  void gave_up(const DeadLetter& letter) noexcept;
  void stored(const DeadLetter& letter, std::int64_t id) noexcept;
  void spilled(const DeadLetter& letter, std::string_view problem) noexcept;
  void unsaved(const DeadLetter& letter, std::string_view problem) noexcept;
  void dropped(const DeadLetter& letter) noexcept;
  void database_busy(std::size_t letters, std::chrono::milliseconds retry_in,
                     std::string_view problem) noexcept;
  void spill_imported(const SpillImport& import) noexcept;
  void spill_waits(std::string_view problem) noexcept;
  /// The audit's record of what `who` asked for.
  void redrive_requested(const RedriveRequest& request, std::string_view who) const noexcept;
  void redrive_claimed(std::size_t letters) noexcept;
  /// Once a request.
  void redrive_ended(const RedriveEnd& end) const noexcept;
  /// Of a letter that cannot be read the record has the number alone.
  void redrive_crashed(const RedriveResult& crashed) noexcept;
  void redrive_unreadable(const UnreadableLetter& letter) noexcept;

 private:
  void about(logging::Level level, std::string_view record, const DeadLetter& letter,
             logging::Field detail) noexcept;
  void write_about(logging::Level level, std::string_view record, const DeadLetter& letter,
                   logging::Field detail) const noexcept;

  RecordLog& records_;
};

}  // namespace tidings::detail
