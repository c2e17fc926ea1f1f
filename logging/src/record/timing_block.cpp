#include <tidings/logging/timing_block.hpp>

#include <chrono>
#include <exception>
#include <span>

namespace tidings::logging {

TimingBlock::TimingBlock(const Logger& logger, Level level, std::string_view event,
                         std::initializer_list<Field> fields, std::shared_ptr<Clock> clock,
                         SourceLocation source)
    : logger_(logger),
      level_(level),
      enabled_(logger_.enabled(level)),
      clock_(std::move(clock)),
      source_(source) {
  if (!clock_) throw Error(ErrorCode::InvalidArgument, "the clock of a TimingBlock is null; leave it out");
  if (!enabled_) return;
  exceptions_at_start_ = std::uncaught_exceptions();
  event_ = event;
  for (const Field& field : fields) add(field.name, field.value);
  start_ = clock_->monotonic_now();
}

TimingBlock::~TimingBlock() {
  if (!enabled_) return;
  try {
    logger_.log(level_, event_, finished_fields(), source_);
  } catch (...) {
    logger_.log(level_, event_, {},
                source_);  // no memory for the fields; that it finished is said nevertheless
  }
}

void TimingBlock::add(std::string_view name, const Value& value) {
  if (enabled_) fields_.emplace_back(std::string(name), value);
}

void TimingBlock::fail(const std::exception_ptr& error) {
  if (!enabled_) return;
  failed_ = true;
  const Field field = error_of(error);
  add(field.name, field.value);
}

std::vector<Field> TimingBlock::finished_fields() const {
  const std::chrono::duration<double, std::milli> elapsed = clock_->monotonic_now() - start_;
  const bool thrown = failed_ || std::uncaught_exceptions() > exceptions_at_start_;
  std::vector<Field> fields;
  for (const auto& [name, value] : fields_) fields.push_back({name, value});
  fields.push_back({"duration_ms", elapsed.count()});
  fields.push_back({"outcome", thrown ? "exception" : "completed"});
  return fields;
}

}  // namespace tidings::logging
