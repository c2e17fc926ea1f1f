#include "destinations/line_queue.hpp"

#include "destinations/notice.hpp"

#include <tidings/clock.hpp>
#include <tidings/detail/fork_generation.hpp>
#include <tidings/detail/mutex.hpp>
#include <tidings/error.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tidings::logging {

namespace {

using tidings::detail::Condition;
using tidings::detail::Mutex;
using tidings::detail::MutexLock;

constexpr std::size_t kChunk = 64 * 1024;

/// The whole lines at the beginning of `lines`, up to about kChunk.
std::string_view first_chunk(std::string_view lines) noexcept {
  if (lines.size() <= kChunk) return lines;
  const std::size_t last = lines.substr(0, kChunk).rfind('\n');
  return lines.substr(0, (last == std::string_view::npos ? lines.find('\n') : last) + 1);
}

}  // namespace

struct LineQueue::State {
  State(std::unique_ptr<LineTarget> to, std::size_t bytes, std::chrono::milliseconds waits)
      : target(std::move(to)), capacity(bytes), patience(waits) {}

  void run() noexcept TIDINGS_EXCLUDES(mutex);
  /// Writes what was taken out of `waiting`, the last of which was pushed as byte `end`.
  void write(std::string_view lines, std::uint64_t end) noexcept TIDINGS_EXCLUDES(mutex);
  void write_loss(std::uint64_t lines, bool as_console) noexcept;
  void push(std::string_view text, bool as_console) TIDINGS_EXCLUDES(mutex);
  void push_in_child(std::string_view text) noexcept TIDINGS_EXCLUDES(child_mutex);
  /// Returns when all up to byte `end` is written, or when nothing was for as long as patience lasts.
  void wait_written(std::uint64_t end) noexcept TIDINGS_REQUIRES(mutex);
  void flush() noexcept TIDINGS_EXCLUDES(mutex);
  void end() noexcept TIDINGS_EXCLUDES(mutex);
  [[nodiscard]] bool in_child() const noexcept { return tidings::detail::fork_generation() != generation; }

  const std::unique_ptr<LineTarget> target;  // used by the queue's thread; in a child, under child_mutex
  const std::size_t capacity;
  const std::chrono::milliseconds patience;
  const std::uint64_t generation = tidings::detail::fork_generation();
  LossCount losses;
  Mutex mutex;
  Condition wanted;
  Condition written;
  std::string waiting TIDINGS_GUARDED_BY(mutex);
  std::uint64_t pushed_bytes TIDINGS_GUARDED_BY(mutex) = 0;
  std::uint64_t written_bytes TIDINGS_GUARDED_BY(mutex) = 0;
  std::uint64_t without_room TIDINGS_GUARDED_BY(mutex) = 0;  // lost, and not reported yet
  bool console TIDINGS_GUARDED_BY(mutex) = false;
  bool stopping TIDINGS_GUARDED_BY(mutex) = false;
  Mutex child_mutex;  // which no thread of the parent takes
};

void LineQueue::State::run() noexcept {
  std::string taken;
  MutexLock lock(mutex);
  while (true) {
    while (waiting.empty() && without_room == 0 && !stopping) wanted.wait(mutex);
    if (waiting.empty() && without_room == 0) break;
    taken.swap(waiting);
    const std::uint64_t end = pushed_bytes;
    const std::uint64_t lost = std::exchange(without_room, 0);
    const std::uint64_t report = lost > 0 ? 1 : 0;  // counts as a byte, so that a flush waits for it
    const bool as_console = console;
    lock.unlock();
    write(taken, end - report);
    if (lost > 0) write_loss(lost, as_console);
    taken.clear();
    lock.lock();
    written_bytes += report;
    written.notify_all();
  }
}

void LineQueue::State::write(std::string_view lines, std::uint64_t end) noexcept {
  while (!lines.empty()) {
    const std::string_view chunk = first_chunk(lines);
    lines.remove_prefix(chunk.size());
    const WrittenLines result = target->write(chunk);
    if (result.lost > 0) losses.add(result.lost, result.error);
    const MutexLock lock(mutex);
    written_bytes = end - lines.size();
    written.notify_all();
  }
}

void LineQueue::State::write_loss(std::uint64_t lines, bool as_console) noexcept {
  std::array<char, 160> text{};
  try {
    const std::string now = to_rfc3339(system_clock()->now());
    const char* const format =
        as_console
            ? "%s warning  log_records_lost lost=%llu\n"
            : "{\"timestamp\":\"%s\",\"level\":\"warning\",\"event\":\"log_records_lost\",\"lost\":%llu}\n";
    const int size =
        std::snprintf(text.data(), text.size(), format, now.c_str(), static_cast<unsigned long long>(lines));
    static_cast<void>(target->write({text.data(), static_cast<std::size_t>(size)}));
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): they are in lost() all the same
  }
}

void LineQueue::State::push(std::string_view text, bool as_console) {
  const MutexLock lock(mutex);
  console = as_console;
  if (waiting.size() + text.size() > capacity) {
    if (without_room++ == 0) ++pushed_bytes;  // the report
    losses.add_silently(1);
  } else {
    waiting.append(text);
    pushed_bytes += text.size();
  }
  wanted.notify_one();
}

// A forked child has the queue, but not its thread; what waited is written by the parent.
void LineQueue::State::push_in_child(std::string_view text) noexcept {
  const MutexLock lock(child_mutex);
  const WrittenLines result = target->write(text);
  if (result.lost > 0) losses.add(result.lost, result.error);
}

void LineQueue::State::wait_written(std::uint64_t end) noexcept {
  while (written_bytes < end) {
    const std::uint64_t before = written_bytes;
    const Instant deadline = std::chrono::steady_clock::now() + patience;
    while (written_bytes == before) {
      if (!written.wait_until(mutex, deadline)) break;
    }
    if (written_bytes == before) return;
  }
}

void LineQueue::State::flush() noexcept {
  if (in_child()) return;
  const MutexLock lock(mutex);
  wait_written(pushed_bytes);
}

void LineQueue::State::end() noexcept {
  if (in_child()) return;
  const MutexLock lock(mutex);
  stopping = true;
  wanted.notify_one();
  wait_written(pushed_bytes);
  if (written_bytes < pushed_bytes) write_notice("a log queue ended before its destination took what waited");
}

namespace {

/// The queues of the process, which are written out when it exits. Never destroyed: static objects may still
/// log.
struct LivingQueues {
  std::atomic<bool> exiting{false};
  Mutex mutex;
  std::vector<std::weak_ptr<LineQueue::State>> all TIDINGS_GUARDED_BY(mutex);
};

LivingQueues& living_queues() {
  static auto* const queues = new LivingQueues;
  return *queues;
}

void flush_living_queues() {
  std::vector<std::weak_ptr<LineQueue::State>> all;
  {
    const MutexLock lock(living_queues().mutex);
    all = living_queues().all;
  }
  living_queues().exiting.store(true);
  for (const auto& queue : all) {
    if (const auto state = queue.lock()) state->flush();
  }
}

void remember(const std::shared_ptr<LineQueue::State>& state) {
  static const bool at_exit = std::atexit([] { flush_living_queues(); }) == 0;
  static_cast<void>(at_exit);
  const MutexLock lock(living_queues().mutex);
  std::erase_if(living_queues().all, [](const auto& queue) { return queue.expired(); });
  living_queues().all.push_back(state);
}

/// The thread takes no signals: they are for the application's threads.
void start_detached(std::shared_ptr<LineQueue::State> state) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    std::thread([state = std::move(state)] { state->run(); }).detach();
  } catch (const std::system_error& failed) {
    error = failed.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return;
  throw Error(ErrorCode::NoThreads, "the system gives no thread to a log queue (" +
                                        std::generic_category().message(error) +
                                        "): raise its limit of processes or memory (ulimit -u, ulimit -v, "
                                        "pids.max of the container), or log without a queue");
}

}  // namespace

LineQueue::LineQueue(std::unique_ptr<LineTarget> target, std::size_t capacity,
                     std::chrono::milliseconds patience) {
  tidings::detail::watch_forks();
  state_ = std::make_shared<State>(std::move(target), capacity, patience);
  remember(state_);
  start_detached(state_);
}

LineQueue::~LineQueue() { state_->end(); }

void LineQueue::push(std::string_view text, bool console) {
  if (state_->in_child()) return state_->push_in_child(text);
  state_->push(text, console);
  if (living_queues().exiting.load(std::memory_order_relaxed)) state_->flush();  // nothing does that later
}

void LineQueue::flush() noexcept { state_->flush(); }

std::uint64_t LineQueue::lost() const noexcept { return state_->losses.total(); }

}  // namespace tidings::logging
