#pragma once

#include "log/bus_log.hpp"

#include <tidings/clock.hpp>
#include <tidings/letter_sink.hpp>

#include <cstdint>
#include <memory>

namespace tidings::detail {

/// Has the sink look after its files from time to time, and logs each thing that it finds once. For the
/// housekeeper's thread.
class FileWatch {
 public:
  FileWatch(std::shared_ptr<LetterSink> sink, BusLog& log) : sink_(std::move(sink)), log_(log) {}

  /// To be called whenever the thread is awake anyway. Throws what the sink throws.
  void tick(Instant now);

 private:
  const std::shared_ptr<LetterSink> sink_;
  BusLog& log_;
  Instant due_{};
  bool network_reported_ = false;
  std::uint64_t reported_wal_bytes_ = 0;
};

}  // namespace tidings::detail
