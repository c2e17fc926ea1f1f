#pragma once

#include "downstreams.hpp"
#include "events.hpp"

#include <tidings/event.hpp>
#include <tidings/event_context.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

// What the service does about each event. A handler does its work or throws: retries, dead letters and
// logging are the bus's. service.cpp says which of them runs for which event, when, and how often it is
// tried.
//
// Some of them are wrong about what GitHub sends, as handlers are. The dead letters show it.
namespace webhooks {

/// All that the handlers write to.
struct Downstreams {
  explicit Downstreams(std::shared_ptr<tidings::Clock> clock, std::filesystem::path page_file = {})
      : chat(std::move(clock)), page(std::move(page_file)) {}

  Chat chat;
  Newsletter newsletter;
  ActivityPage page;
  Outbox changelog;
  Outbox builds;
  Outbox labels;
};

/// What was seen, by repository; those of none are counted under the empty name.
class Audit {
 public:
  void count(const tidings::Json& event);
  [[nodiscard]] std::map<std::string, std::uint64_t> by_repository() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> by_repository_;  // guarded by mutex_
};

void write_changelog(Downstreams& to, const Push& push);
void start_build(Downstreams& to, const Push& push);

void label_issue(Downstreams& to, const IssueOpened& event);
void announce_issue(Downstreams& to, const IssueOpened& event);

void link_issues(Downstreams& to, const PullRequestOpened& event);
void announce_pull_request(Downstreams& to, const PullRequestOpened& event);

void announce_release(Downstreams& to, const ReleasePublished& event);
void write_newsletter(Downstreams& to, const ReleasePublished& event);

// Events that have no struct arrive as JSON.
void tell_mentioned(Downstreams& to, const tidings::Json& comment_created);
void tell_committer(Downstreams& to, const tidings::Json& status);

/// Sees every event.
void show_activity(Downstreams& to, const tidings::Json& event, const tidings::EventContext& context);

}  // namespace webhooks
