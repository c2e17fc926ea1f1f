#pragma once

#include <tidings/clock.hpp>
#include <tidings/logging/logger.hpp>

#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings::logging {

/// Logs one record when the block is left, however it is left:
///
///     TimingBlock timing(log, Level::Info, "catalogue_imported", {{"file", path}});
///     timing.add("rows", import(path));
///
/// It has the fields given, those added, `duration_ms` (a number with a fraction), and `outcome`:
/// `completed`, or `exception` if an exception leaves the block. If the level is not enabled at the start,
/// nothing is measured or logged. Used by one thread.
///
/// The record has the context that is current where the block is: a scope inside it is gone by then, and what
/// the record is to have of it is added when it is known: `timing.add("user_id", user)`.
class TimingBlock {
 public:
  /// Throws Error(InvalidArgument) if the clock is null.
  TimingBlock(const Logger& logger, Level level, std::string_view event,
              std::initializer_list<Field> fields = {}, std::shared_ptr<Clock> clock = system_clock(),
              SourceLocation source = SourceLocation::current());
  TimingBlock(const TimingBlock&) = delete;
  TimingBlock& operator=(const TimingBlock&) = delete;
  ~TimingBlock();

  /// Adds a field to the record; name and value are copied.
  void add(std::string_view name, const Value& value);
  /// Called in a catch block: the record says what failed, as error_of() does, and its `outcome` is
  /// `exception`, whether the exception goes on or not. While an exception leaves the block nobody can know
  /// which one it is, so that without this the record has its `outcome` alone.
  void fail(const std::exception_ptr& error = std::current_exception());

 private:
  [[nodiscard]] std::vector<Field> finished_fields() const;

  Logger logger_;
  Level level_;
  bool enabled_;
  int exceptions_at_start_ = 0;
  std::string event_;
  std::vector<std::pair<std::string, Value>> fields_;
  bool failed_ = false;
  std::shared_ptr<Clock> clock_;
  SourceLocation source_;
  Instant start_{};
};

}  // namespace tidings::logging
