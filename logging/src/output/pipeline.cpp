#include "output/pipeline.hpp"

#include "output/environment_sinks.hpp"
#include "output/spdlog_outputs.hpp"

#include <tidings/detail/what_of.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace tidings::logging {

namespace {

void validate(const std::vector<Output>& outputs) {
  for (const Output& output : outputs) {
    if (!output.sink) throw Error(ErrorCode::InvalidArgument, "a sink of a logger is null; leave it out");
  }
}

void validate(const LoggerOptions& options) {
  const auto refuse = [](const char* why) { throw Error(ErrorCode::InvalidArgument, why); };
  if (!options.service.empty()) validate_name(options.service, "service");
  if (!options.name.empty()) validate_name(options.name, "logger name");
  if (options.spdlog_logger && !options.sinks.empty()) {
    refuse("give a logger either sinks or a spdlog_logger, not both");
  }
  validate(options.sinks);
  for (const Route& route : options.routes) {
    validate_name(route.logger, "logger name of a route");
    validate(route.sinks);
  }
  if (!options.clock) refuse("the clock of a logger is null; leave it out for the system's");
  if (options.max_text_bytes < 64) refuse("max_text_bytes must be at least 64");
}

LoggerOptions validated(LoggerOptions options) {
  validate(options);
  return options;
}

std::string_view profile_of(const Redactor* redactor) noexcept {
  return redactor == nullptr ? "none" : to_string(redactor->profile());
}

std::string names_of(const ProcessFields& fields) {
  std::string names;
  const auto add = [&](bool is_there, std::string_view name) {
    if (is_there) names.append(names.empty() ? "" : ",").append(name);
  };
  add(fields.environment, "environment");
  add(fields.release, "release");
  add(fields.host, "host");
  add(fields.pid, "pid");
  add(fields.thread, "thread");
  return names.empty() ? "none" : names;
}

Level root_level(const LoggerOptions& options, const Environment& environment) {
  return options.level.value_or(environment.level.value_or(Level::Info));
}

}  // namespace

Pipeline::Pipeline(LoggerOptions unchecked, Environment& environment)
    : levels_(root_level(unchecked, environment)) {
  LoggerOptions options = validated(std::move(unchecked));
  if (!options.level) {
    for (const auto& [prefix, level] : environment.level_by_prefix) levels_.set(prefix, level);
  }
  redactor_ = std::move(options.redactor);
  processors_ = std::move(options.processors);
  clock_ = std::move(options.clock);
  source_from_ = options.source_from.value_or(environment.source_from.value_or(Level::Off));
  flush_on_ = options.flush_on;
  max_text_bytes_ = options.max_text_bytes;
  process_fields_ = options.process_fields.value_or(environment.process_fields.value_or(ProcessFields()));
  const Format format = options.format == Format::Auto ? environment.format : options.format;
  if (options.spdlog_logger) options.sinks.emplace_back(spdlog_logger_sink(std::move(options.spdlog_logger)));
  if (options.sinks.empty()) {
    if (options.routes.empty()) options.routes = environment_routes(environment);
    options.sinks = {environment_sink(environment)};
  }
  for (Route& route : options.routes) add_route(std::move(route), format);
  std::stable_sort(branches_.begin(), branches_.end(), [](const Branch& one, const Branch& other) {
    return one.logger.size() > other.logger.size();
  });
  add_root(std::move(options.sinks), format);
}

void Pipeline::add_route(Route route, Format format) {
  Branch branch{
      std::move(route.logger), route.level, route.redactor.value_or(redactor_), route.propagate, {}};
  for (Output& output : route.sinks)
    branch.targets.push_back(target_of(std::move(output), format, branch.redactor.get()));
  branches_.push_back(std::move(branch));
}

void Pipeline::add_root(std::vector<Output> outputs, Format format) {
  Branch branch;
  for (Output& output : outputs)
    branch.targets.push_back(target_of(std::move(output), format, redactor_.get()));
  branches_.push_back(std::move(branch));
}

Pipeline::Target Pipeline::target_of(Output output, Format format, const Redactor* redactor) const {
  const Format chosen = output.format == Format::Auto ? format : output.format;
  const bool terminal = output.sink->is_terminal();
  const bool console = chosen == Format::Console || (chosen == Format::Auto && terminal);
  return {std::move(output.sink),
          console,
          output.level,
          {redactor, max_text_bytes_, terminal && colour_allowed()}};
}

void Pipeline::write(Scratch& scratch) {
  if (!process(scratch.builder)) return;
  scratch.builder.evaluate_lazy_fields();
  const Record& record = scratch.builder.record();
  for (const Branch& branch : branches_) {
    if (!is_logger_below(record.logger(), branch.logger)) continue;
    if (record.level() >= branch.level) write_to(branch, record, scratch.lines);
    if (!branch.propagate) break;
  }
}

void Pipeline::render(Scratch& scratch, std::string& out) const {
  if (!process(scratch.builder)) return;
  scratch.builder.evaluate_lazy_fields();
  render_json(scratch.builder.record(), {redactor_.get(), max_text_bytes_, false}, out);
  out.push_back('\n');
}

bool Pipeline::process(detail::RecordBuilder& builder) const {
  const char* problem = "the processor threw something that is not a std::exception";
  std::string text;
  try {
    for (const Processor& processor : processors_) {
      if (processor && !processor(builder.record())) return false;
    }
    return true;
  } catch (const std::exception& error) {
    text = tidings::detail::what_of(error);
    problem = text.c_str();
  } catch (...) {  // NOLINT(bugprone-empty-catch): `problem` says it
  }
  builder.reduce_to("processor_error", problem);
  return true;
}

void Pipeline::count_loss(std::string_view why) noexcept {
  if (redactor_ == nullptr) return losses_.add(1, why);
  try {
    losses_.add(1, redactor_->redact_text(why));
  } catch (...) {
    losses_.add(1, "out of memory");
  }
}

template <class Call>
void Pipeline::guarded(const Call& call) noexcept {
  try {
    call();
  } catch (const std::exception& error) {
    count_loss(tidings::detail::what_of(error));
  } catch (...) {
    count_loss("the sink threw something that is not a std::exception");
  }
}

void Pipeline::write_to(const Branch& branch, const Record& record, RenderedLines& lines) noexcept {
  for (const Target& target : branch.targets) {
    if (record.level() < target.level) continue;
    guarded([&] {
      target.sink->write(VisibleRecord(record, target.rendering, target.console, lines));
      if (record.level() >= flush_on_) target.sink->flush_soon();
    });
  }
}

std::string_view Pipeline::formats() const noexcept {
  const std::vector<Target>& targets = branches_.back().targets;
  const auto is_console = [](const Target& target) { return target.console; };
  if (std::none_of(targets.begin(), targets.end(), is_console)) return "json";
  return std::all_of(targets.begin(), targets.end(), is_console) ? "console" : "json,console";
}

/// What is not the default is said.
std::string Pipeline::described(const Branch& branch, const Target& target) const {
  std::string text = branch.logger.empty() ? "" : branch.logger + "=";
  text += target.sink ? target.sink->destination() : "none";
  if (target.console) text += " format=console";
  const Level from = std::max(branch.level, target.level);
  if (from > Level::Trace) text.append(" level=").append(to_string(from));
  if (!branch.logger.empty() && branch.redactor != redactor_)
    text.append(" redaction=").append(profile_of(branch.redactor.get()));
  if (!branch.propagate) text += " propagate=false";
  return text;
}

Json Pipeline::configuration() const {
  Json outputs = Json::array();
  for (auto branch = branches_.rbegin(); branch != branches_.rend(); ++branch) {
    if (branch->targets.empty()) outputs.push_back(described(*branch, Target{}));
    for (const Target& target : branch->targets) outputs.push_back(described(*branch, target));
  }
  Json fields = Json::object();
  fields["log_format"] = formats();
  fields["log_outputs"] = std::move(outputs);
  fields["log_process_fields"] = names_of(process_fields_);
  fields["log_source_from"] = to_string(source_from_);
  fields["log_redaction"] = profile_of(redactor_.get());
  fields["error_redaction"] = profile_of(default_redactor().get());
  return fields;
}

void Pipeline::flush() noexcept {
  for (const Branch& branch : branches_) {
    for (const Target& target : branch.targets) guarded([&] { target.sink->flush(); });
  }
}

std::uint64_t Pipeline::dropped() const noexcept {
  std::uint64_t lost = losses_.total();
  for (const Branch& branch : branches_) {
    for (const Target& target : branch.targets) lost += target.sink->lost();
  }
  return lost;
}

}  // namespace tidings::logging
