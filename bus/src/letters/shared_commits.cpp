#include "letters/shared_commits.hpp"

#include <tidings/detail/patiently.hpp>

#include <chrono>

namespace tidings::detail {

void SharedCommits::wait_or_commit(Mutex& mutex) {
  if (committing_ || refused()) {
    changed_.wait(mutex);
  } else {
    commit(WhenBusy::Throw);
  }
}

bool SharedCommits::wait_committed(Mutex& mutex, std::uint64_t ticket) {
  while (committed_ < ticket) {
    if (committing_) {
      changed_.wait(mutex);
    } else if (refused() || commit(WhenBusy::Throw) != CommitProgress::Committed) {
      return false;
    }
  }
  return true;
}

bool SharedCommits::wait_reported(Mutex& mutex, std::uint64_t ticket) {
  while (reported_ < ticket) {
    if (!wait_committed(mutex, ticket)) return false;
    if (reported_ < ticket) changed_.wait(mutex);
  }
  return true;
}

bool SharedCommits::flush_all(Mutex& mutex, WhenBusy when_busy, std::optional<Instant> deadline) {
  for (Patience patience; anything_waits() || committing_;) {
    if (committing_) {
      changed_.wait(mutex);
      continue;
    }
    const CommitProgress progress = commit(when_busy);
    if (progress == CommitProgress::Committed) continue;
    if (progress == CommitProgress::Refused || when_busy == WhenBusy::Throw) return false;
    mutex.unlock();
    patience.wait();  // nobody would try again
    mutex.lock();
  }
  // A reporting thread may be stuck in a log sink; what it reports is committed.
  while (reporting_ > 0) {
    if (!deadline) {
      changed_.wait(mutex);
    } else if (!changed_.wait_until(mutex, *deadline)) {
      break;
    }
  }
  return true;
}

bool SharedCommits::wait_until_done(Mutex& mutex, Instant deadline) {
  for (bool late = false; anything_waits() || committing_ || reporting_ > 0;
       late = std::chrono::steady_clock::now() >= deadline) {
    if (late) return false;
    if (committing_ || refused() || !anything_waits()) {
      static_cast<void>(changed_.wait_until(mutex, deadline));
    } else {
      commit(WhenBusy::Throw);
    }
  }
  return true;
}

}  // namespace tidings::detail
