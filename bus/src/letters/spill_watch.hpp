#pragma once

#include "log/bus_log.hpp"
#include "threads/housekeeper.hpp"

#include <tidings/clock.hpp>
#include <tidings/letter_sink.hpp>

#include <memory>
#include <string>
#include <utility>

namespace tidings::detail {

/// Has the sink import the letters of its spill file as soon as the database takes them. On the housekeeper's
/// thread.
class SpillWatch {
 public:
  SpillWatch(std::shared_ptr<LetterSink> sink, BusLog& log, Housekeeper& housekeeper)
      : sink_(std::move(sink)), log_(log), housekeeper_(housekeeper) {}

  /// Imported whenever the thread is awake anyway: it wakes for nothing else often enough. Throws what the
  /// sink does.
  void tick(Instant now);

 private:
  const std::shared_ptr<LetterSink> sink_;
  BusLog& log_;
  Housekeeper& housekeeper_;
  Instant due_{};
  std::string problem_;
};

}  // namespace tidings::detail
