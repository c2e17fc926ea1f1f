#pragma once

#include "log/bus_log.hpp"

#include <tidings/clock.hpp>
#include <tidings/letter_sink.hpp>

#include <cstdint>
#include <memory>

namespace tidings::detail {

/// Has the sink look after its files from time to time, and tells the log what it found, once for each news.
/// Of the housekeeper's thread.
class FileWatch {
 public:
  FileWatch(std::shared_ptr<LetterSink> sink, BusLog& log) : sink_(std::move(sink)), log_(log) {}

  /// Looked after whenever the thread is awake anyway. Throws what the sink does.
  void tick(Instant now);

 private:
  const std::shared_ptr<LetterSink> sink_;
  BusLog& log_;
  Instant due_{};
  bool told_of_network_ = false;
  std::uint64_t told_wal_ = 0;
};

}  // namespace tidings::detail
