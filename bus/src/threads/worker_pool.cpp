#include "threads/worker_pool.hpp"

#include "threads/start_thread.hpp"

#include <tidings/detail/patiently.hpp>

#include <utility>

namespace tidings::detail {

namespace {
thread_local constinit bool is_worker = false;
}  // namespace

bool WorkerPool::on_worker() noexcept { return is_worker; }

void WorkerPool::start() {
  threads_.reserve(workers_);
  try {
    for (std::size_t count = 0; count < workers_; ++count)
      threads_.push_back(start_thread([this] { run(); }));
  } catch (...) {
    stop();
    join();
    throw;
  }
}

void WorkerPool::submit(std::shared_ptr<Subscriber> subscriber) {
  {
    const MutexLock lock(mutex_);
    patiently([&] {
      mutex_.assert_held();
      ready_.push_back(std::move(subscriber));
    });  // nobody else has the permit
    ready_count_.store(ready_.size(), std::memory_order_relaxed);
  }
  changed_.notify_one();
}

bool WorkerPool::wait_idle(std::chrono::steady_clock::time_point deadline) {
  const MutexLock lock(mutex_);
  bool in_time = true;
  while ((busy_ > 0 || !ready_.empty()) && in_time) in_time = idle_.wait_until(mutex_, deadline);
  return busy_ == 0 && ready_.empty();
}

std::size_t WorkerPool::busy() const {
  const MutexLock lock(mutex_);
  return busy_;
}

void WorkerPool::run() {
  is_worker = true;
  bool served = false;
  for (;;) {
    std::shared_ptr<Subscriber> subscriber;
    {
      const MutexLock lock(mutex_);
      if (served && --busy_ == 0 && ready_.empty()) idle_.notify_all();
      while (ready_.empty() && !stopping_) changed_.wait(mutex_);
      if (ready_.empty()) return;
      subscriber = std::move(ready_.front());
      ready_.pop_front();
      ready_count_.store(ready_.size(), std::memory_order_relaxed);
      ++busy_;
    }
    serve_(subscriber);
    served = true;
  }
}

void WorkerPool::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void WorkerPool::join() {
  stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace tidings::detail
