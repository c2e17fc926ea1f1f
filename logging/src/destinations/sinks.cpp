#include <tidings/logging/sink.hpp>

#include "destinations/file_target.hpp"
#include "destinations/line_queue.hpp"

#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

namespace tidings::logging {

namespace {

/// A target that threads write to in turn.
struct SharedTarget {
  explicit SharedTarget(std::unique_ptr<LineTarget> to) : target(std::move(to)) {
    tidings::detail::watch_forks();
  }
  /// In a forked child another one: a thread of the parent, which the child has not, may hold the first.
  [[nodiscard]] tidings::detail::Mutex& mutex() noexcept {
    return tidings::detail::fork_generation() == generation ? of_parent : of_child;
  }

  const std::uint64_t generation = tidings::detail::fork_generation();
  tidings::detail::Mutex of_parent;
  tidings::detail::Mutex of_child;
  const std::unique_ptr<LineTarget> target;  // used under mutex()
};

/// Every thread writes its own lines.
class DirectSink final : public RecordSink {
 public:
  explicit DirectSink(std::shared_ptr<SharedTarget> target) : target_(std::move(target)) {}

  void write(const VisibleRecord& record) override {
    const std::string_view text = record.text();
    const tidings::detail::MutexLock lock(target_->mutex());
    const WrittenLines result = target_->target->write(text);
    if (result.lost > 0) throw std::system_error(result.error, std::generic_category(), "cannot write it");
  }
  [[nodiscard]] bool is_terminal() const noexcept override {
    const tidings::detail::MutexLock lock(target_->mutex());
    return target_->target->is_terminal();
  }
  [[nodiscard]] std::string destination() const override {
    const tidings::detail::MutexLock lock(target_->mutex());
    return target_->target->destination();
  }

 private:
  const std::shared_ptr<SharedTarget> target_;
};

/// A thread of its own writes all lines.
class QueuedSink final : public RecordSink {
 public:
  QueuedSink(std::unique_ptr<LineTarget> target, std::size_t capacity)
      : terminal_(target->is_terminal()),
        destination_(target->destination() + " queue_bytes=" + std::to_string(capacity)),
        queue_(std::move(target), capacity) {}

  void write(const VisibleRecord& record) override { queue_.push(record.text(), record.is_console()); }
  void flush() override { queue_.flush(); }
  void flush_soon() override {}
  [[nodiscard]] bool is_terminal() const noexcept override { return terminal_; }
  [[nodiscard]] std::string destination() const override { return destination_; }
  [[nodiscard]] std::uint64_t lost() const noexcept override { return queue_.lost(); }

 private:
  const bool terminal_;
  const std::string destination_;
  LineQueue queue_;
};

void validate_queue(std::size_t bytes) {
  if (bytes != 0 && bytes < LineQueue::kMinCapacity) {
    throw Error(ErrorCode::InvalidArgument, "queue_bytes of a log sink must be 0 or at least 65536");
  }
}

void validate(const FileSinkOptions& options) {
  const auto refuse = [](const char* why) { throw Error(ErrorCode::InvalidArgument, why); };
  validate_queue(options.queue_bytes);
  if (options.path.empty()) refuse("the path of a log file is empty");
  if (options.max_age.count() < 0) refuse("max_age of a log file must not be negative");
  if (options.keep < 1 || options.keep > 1000) refuse("keep of a log file must be 1 to 1000");
  if (options.mode > 0777U) refuse("mode of a log file has bits beyond 0777");
  if (!options.clock) refuse("the clock of a log file is null; leave it out for the system's");
}

/// One for all sinks of the process that write to it. Never destroyed: static objects may log.
std::shared_ptr<SharedTarget> shared_stream(int descriptor) {
  const auto make = [](int of) {
    return new std::shared_ptr(std::make_shared<SharedTarget>(std::make_unique<StreamTarget>(of)));
  };
  static const auto* const out = make(STDOUT_FILENO);
  static const auto* const err = make(STDERR_FILENO);
  return descriptor == STDOUT_FILENO ? *out : *err;
}

std::shared_ptr<RecordSink> stream_sink(int descriptor, const StreamSinkOptions& options) {
  validate_queue(options.queue_bytes);
  if (options.queue_bytes == 0) return std::make_shared<DirectSink>(shared_stream(descriptor));
  return std::make_shared<QueuedSink>(std::make_unique<StreamTarget>(descriptor), options.queue_bytes);
}

}  // namespace

std::shared_ptr<RecordSink> stdout_sink(const StreamSinkOptions& options) {
  return stream_sink(STDOUT_FILENO, options);
}

std::shared_ptr<RecordSink> stderr_sink(const StreamSinkOptions& options) {
  return stream_sink(STDERR_FILENO, options);
}

std::shared_ptr<RecordSink> file_sink(FileSinkOptions options) {
  validate(options);
  const std::size_t queue_bytes = options.queue_bytes;
  auto target = std::make_unique<FileTarget>(std::move(options));
  if (queue_bytes > 0) return std::make_shared<QueuedSink>(std::move(target), queue_bytes);
  return std::make_shared<DirectSink>(std::make_shared<SharedTarget>(std::move(target)));
}

}  // namespace tidings::logging
