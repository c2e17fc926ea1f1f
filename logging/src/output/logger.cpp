#include <tidings/logging/logger.hpp>

#include "output/foreign_line.hpp"
#include "output/pipeline.hpp"
#include "output/spdlog_outputs.hpp"

#include <tidings/context.hpp>
#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <exception>
#include <mutex>

namespace tidings::logging {

/// What one Logger is: immutable, shared by its copies.
struct detail::LoggerState {
  std::shared_ptr<Pipeline> pipeline;
  std::string name;
  std::string service;
  std::shared_ptr<const FieldList> bound;  // null: none
  const std::atomic<std::uint8_t>* threshold;

  /// Builds and writes one record; throws nothing.
  void emit(Level level, std::string_view event, std::span<const Field> fields, Naming naming,
            const SourceLocation& source) const noexcept;
  void build(RecordBuilder& builder, Level level, std::string_view event, std::span<const Field> fields,
             Naming naming, const SourceLocation& source) const;
  /// Builds the record of a line, and gives it to `write(scratch)`; throws nothing.
  template <class Write>
  void with_line(const ForeignLine& line, const Write& write) const noexcept;
  [[nodiscard]] static const std::shared_ptr<const LoggerState>& of(const Logger& logger) noexcept {
    return logger.state_;
  }
  [[nodiscard]] static Logger made_of(LoggerState state) {
    return Logger(std::make_shared<const LoggerState>(std::move(state)));
  }
  static void emit_through(const Logger& logger, Level level, std::string_view event,
                           std::span<const Field> fields, Naming naming,
                           const SourceLocation& source) noexcept {
    if (logger.state_) logger.state_->emit(level, event, fields, naming, source);
  }
};

namespace {

using detail::LoggerState;

constexpr std::atomic<std::uint8_t> kNothingEnabled{static_cast<std::uint8_t>(Level::Off) + 1};

std::mutex& default_mutex() noexcept {
  static std::mutex mutex;
  return mutex;
}

// Never destroyed: destructors of static objects may log.
Logger& default_logger() {
  static auto* const logger = new Logger(LoggerOptions{});
  return *logger;
}

void report(const Logger& logger, const std::vector<EnvironmentProblem>& problems) noexcept {
  for (const EnvironmentProblem& problem : problems) {
    logger.warning("log_configuration_ignored",
                   {{"variable", problem.variable}, {"value", problem.value}, {"allowed", problem.allowed}},
                   {});
  }
}

}  // namespace

void detail::LoggerState::emit(Level level, std::string_view event, std::span<const Field> fields,
                               Naming naming, const SourceLocation& source) const noexcept {
  try {
    ScratchLease scratch;
    build(scratch->builder, level, event, fields, naming, source);
    pipeline->write(*scratch);
  } catch (const std::exception& error) {
    pipeline->count_loss(tidings::detail::what_of(error));
  } catch (...) {
    pipeline->count_loss("something that is not a std::exception was thrown");
  }
}

void detail::LoggerState::build(RecordBuilder& builder, Level level, std::string_view event,
                                std::span<const Field> fields, Naming naming,
                                const SourceLocation& source) const {
  const AmbientFrame* const ambient_frame = tidings::detail::ambient_frame;
  builder.begin(pipeline->now(), level, event, name, service);
  builder.add_process(pipeline->process_fields());
  if (ambient_frame != nullptr) builder.add_correlation_of(*ambient_frame);
  if (bound) builder.add_bound(*bound);
  if (ambient_frame != nullptr) builder.add_context_of(*ambient_frame);
  if (source.file != nullptr && level >= pipeline->source_from()) builder.add_source(source);
  builder.add_own(fields, naming);
  builder.finish();
}

void detail::log_reserved(const Logger& logger, Level level, std::string_view event,
                          std::span<const Field> fields) noexcept {
  if (level < Level::Off && logger.enabled(level)) {
    LoggerState::emit_through(logger, level, event, fields, Naming::Tidings, SourceLocation{});
  }
}

template <class Write>
void detail::LoggerState::with_line(const ForeignLine& line, const Write& write) const noexcept {
  try {
    const Field message{"message", line.text};
    ScratchLease scratch;
    build(scratch->builder, line.level, "log_message", {&message, 1}, Naming::Users, line.source);
    scratch->builder.set_origin(line.time, line.thread);
    write(*scratch);
  } catch (const std::exception& error) {
    pipeline->count_loss(tidings::detail::what_of(error));
  } catch (...) {
    pipeline->count_loss("something that is not a std::exception was thrown");
  }
}

void log_line(const Logger& logger, const ForeignLine& line) noexcept {
  const auto& state = LoggerState::of(logger);
  if (state) state->with_line(line, [&](Scratch& scratch) { state->pipeline->write(scratch); });
}

void render_line(const Logger& logger, const ForeignLine& line, std::string& out) noexcept {
  const auto& state = LoggerState::of(logger);
  if (state) state->with_line(line, [&](Scratch& scratch) { state->pipeline->render(scratch, out); });
}

void count_lost_line(const Logger& logger, const char* why) noexcept {
  if (const auto& state = LoggerState::of(logger)) state->pipeline->count_loss(why);
}

Json detail::configuration_of(const Logger& logger) {
  const auto& state = LoggerState::of(logger);
  Json fields = state ? state->pipeline->configuration() : Json::object();
  fields["log_level"] = to_string(logger.level());
  fields.update(library_versions());
  return fields;
}

Logger renamed(const Logger& logger, std::string_view name) {
  const auto& known = LoggerState::of(logger);
  if (!known) return logger;
  LoggerState state = *known;
  state.name = name;
  state.threshold = state.pipeline->levels().threshold(state.name);
  return LoggerState::made_of(std::move(state));
}

Logger::Logger() noexcept : threshold_(&kNothingEnabled) {
  try {
    const std::lock_guard lock(default_mutex());
    *this = default_logger();
  } catch (...) {  // NOLINT(bugprone-empty-catch): no memory for a logger; this one is silent
  }
}

Logger::Logger(LoggerOptions options) : threshold_(&kNothingEnabled) {
  Environment environment = Environment::read();
  LoggerState state{nullptr, options.name, options.service, nullptr, nullptr};
  state.pipeline = std::make_shared<Pipeline>(std::move(options), environment);
  state.threshold = state.pipeline->levels().threshold(state.name);
  *this = LoggerState::made_of(std::move(state));
  report(*this, environment.problems);
}

Logger::Logger(std::shared_ptr<const detail::LoggerState> state) noexcept
    : state_(std::move(state)), threshold_(state_->threshold) {}

void Logger::set_default(const Logger& logger) {
  const std::lock_guard lock(default_mutex());
  default_logger() = logger;
}

void Logger::write(Level level, std::string_view event, std::span<const Field> fields, const char* file,
                   std::uint32_t line, const char* function) const noexcept {
  if (level >= Level::Off) return;
  LoggerState::emit_through(*this, level, event, fields, detail::Naming::Users,
                            SourceLocation{file, line, function});
}

Logger Logger::bind(std::initializer_list<Field> fields) const {
  return bind(std::span<const Field>(fields.begin(), fields.size()));
}

Logger Logger::bind(std::span<const Field> fields) const {
  if (!state_) return *this;
  LoggerState state = *state_;
  state.bound = detail::extended(state.bound.get(), fields);
  return LoggerState::made_of(std::move(state));
}

Logger Logger::unbind(std::initializer_list<std::string_view> names) const {
  if (!state_ || !state_->bound) return *this;
  LoggerState state = *state_;
  auto kept = std::make_shared<detail::FieldList>(*state.bound);
  std::erase_if(kept->fields, [&](const detail::FieldList::Owned& field) {
    return std::find(names.begin(), names.end(), field.name) != names.end();
  });
  state.bound = std::move(kept);
  return LoggerState::made_of(std::move(state));
}

Logger Logger::child(std::string_view name) const {
  validate_name(name, "logger name");
  if (!state_) return *this;
  return with_name(state_->name.empty() ? std::string(name) : state_->name + "." + std::string(name));
}

Logger Logger::with_name(std::string_view name) const {
  validate_name(name, "logger name");
  if (!state_) return *this;
  LoggerState state = *state_;
  state.name = name;
  state.threshold = state.pipeline->levels().threshold(state.name);
  return LoggerState::made_of(std::move(state));
}

Logger Logger::with_service(std::string_view service) const {
  if (!service.empty()) validate_name(service, "service");
  if (!state_) return *this;
  LoggerState state = *state_;
  state.service = service;
  return LoggerState::made_of(std::move(state));
}

std::string_view Logger::name() const noexcept {
  return state_ ? std::string_view(state_->name) : std::string_view();
}

std::string_view Logger::service() const noexcept {
  return state_ ? std::string_view(state_->service) : std::string_view();
}

void Logger::set_level(std::string_view prefix, Level level) const {
  if (state_) state_->pipeline->levels().set(prefix, level);
}

Level Logger::level() const noexcept {
  const std::uint8_t threshold = threshold_->load(std::memory_order_relaxed);
  return static_cast<Level>(std::min(threshold, static_cast<std::uint8_t>(Level::Off)));
}

std::uint64_t Logger::dropped() const noexcept { return state_ ? state_->pipeline->dropped() : 0; }

void Logger::flush() const noexcept {
  if (state_) state_->pipeline->flush();
}

const std::shared_ptr<const Redactor>& Logger::redactor() const noexcept {
  static const std::shared_ptr<const Redactor> none;
  return state_ ? state_->pipeline->redactor() : none;
}

}  // namespace tidings::logging
