#include <tidings/logging/capture.hpp>

#include <tidings/detail/parse_json.hpp>

#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace tidings::logging {

/// Keeps the payload of each record: no formatter stands between.
class Capture::Sink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

Capture::Capture() : sink_(std::make_shared<Sink>()) {}

Capture::~Capture() = default;

Logger Capture::logger(LoggerOptions options) const {
  if (!options.level) options.level = Level::Trace;
  options.sinks = {sink()};
  options.spdlog_logger = nullptr;
  return Logger(std::move(options));
}

Output Capture::sink() const { return {sink_, Format::Json}; }

std::vector<std::string> Capture::lines() const { return sink_->lines(); }

std::vector<Json> Capture::records() const {
  std::vector<Json> records;
  for (const std::string& line : sink_->lines()) records.push_back(tidings::detail::parse_json(line));
  return records;
}

std::vector<Json> Capture::records(std::string_view event) const {
  std::vector<Json> found = records();
  std::erase_if(found, [event](const Json& record) { return record.at("event") != event; });
  return found;
}

std::size_t Capture::count(std::string_view event) const { return records(event).size(); }

Json Capture::only(std::string_view event) const {
  std::vector<Json> found = records(event);
  if (found.size() == 1) return std::move(found.front());
  std::string message = "expected one record `" + std::string(event) + "`, there are " +
                        std::to_string(found.size()) + " among:";
  for (const Json& record : records()) message += " " + record.at("event").get<std::string>();
  throw Error(ErrorCode::InvalidArgument, message);
}

void Capture::clear() { sink_->clear(); }

}  // namespace tidings::logging
