#include "downstreams.hpp"

#include <tidings/retry.hpp>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace webhooks {

RateLimit::RateLimit(int calls, std::chrono::milliseconds window, std::shared_ptr<tidings::Clock> clock)
    : calls_(calls), window_(window), clock_(std::move(clock)) {}

void RateLimit::admit() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_->monotonic_now();
  if (now >= window_ends_) {
    window_ends_ = now + window_;
    left_ = calls_;
  }
  if (left_ == 0) {
    throw tidings::RetryAfter(std::chrono::ceil<std::chrono::milliseconds>(window_ends_ - now),
                              "429 too many requests");
  }
  --left_;
}

void Outbox::add(std::string message) {
  const std::lock_guard lock(mutex_);
  messages_.push_back(std::move(message));
}

std::vector<std::string> Outbox::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

void Chat::post(std::string message) {
  limit_.admit();
  posted_.add(std::move(message));
}

void Newsletter::add(std::string_view headline, std::string_view text) {
  if (headline.empty()) {
    throw tidings::Permanent("422 an item needs a headline, and '" + std::string(text) + "' has none");
  }
  items_.add(std::string(headline) + " (" + std::string(text) + ")");
}

void ActivityPage::show(std::string_view repository, bool is_private, std::string_view what) {
  if (is_private) {
    throw tidings::Permanent("403 this page is public, and '" + std::string(repository) + "' is not");
  }
  const auto entry = std::string(repository) + ": " + std::string(what);
  if (!file_.empty()) append(entry);
  entries_.add(entry);
}

void ActivityPage::append(const std::string& entry) {
  const std::lock_guard lock(one_at_a_time_);
  std::ofstream page(file_, std::ios::app);
  if (page) page << entry << std::endl;
  if (!page) {
    throw std::system_error(errno, std::generic_category(), "cannot append to the page " + file_.string());
  }
}

}  // namespace webhooks
