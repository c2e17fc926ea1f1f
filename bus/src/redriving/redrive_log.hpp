#pragma once

#include "log/record_log.hpp"

#include <tidings/redrive.hpp>

#include <cstddef>
#include <cstdint>

namespace tidings::detail {

/// What a bus logs of letters that are delivered again, beside BusLog.
class RedriveLog {
 public:
  explicit RedriveLog(RecordLog& records) noexcept : records_(records) {}

  void claimed(std::size_t letters) noexcept;
  void ended(const RedriveEnd& end) const noexcept;
  void crashed(std::int64_t letter_id) noexcept;
  void unreadable(const UnreadableLetter& letter) noexcept;

 private:
  RecordLog& records_;
};

}  // namespace tidings::detail
