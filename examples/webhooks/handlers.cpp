#include "handlers.hpp"

#include <stdexcept>
#include <string_view>

namespace webhooks {
namespace {

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

std::string numbered(const Repository& repository, const Issue& issue) {
  return repository.full_name + "#" + std::to_string(issue.number);
}

bool is_login_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/// `@ada, @grace`, or nothing.
std::string mentions_in(std::string_view text) {
  std::string found;
  for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    auto end = at + 1;
    while (end < text.size() && is_login_character(text[end])) ++end;
    if (end > at + 1) found += (found.empty() ? "" : ", ") + std::string(text.substr(at, end - at));
  }
  return found;
}

}  // namespace

void Audit::count(const tidings::Json& event) {
  const auto repository = repository_of(event);
  const std::lock_guard lock(mutex_);
  ++by_repository_[repository];
}

std::map<std::string, std::uint64_t> Audit::by_repository() const {
  const std::lock_guard lock(mutex_);
  return by_repository_;
}

// Assumes that every push brings a commit. The push that deletes a branch or a tag does not.
void write_changelog(Downstreams& to, const Push& push) {
  if (!push.head_commit) throw std::runtime_error("push to '" + push.ref + "' has no head_commit");
  to.changelog.add(push.repository.full_name + " " + push.head_commit->id.substr(0, 7) + " " +
                   first_line(push.head_commit->message));
}

// A push that brings no commit needs no build.
void start_build(Downstreams& to, const Push& push) {
  if (!push.head_commit) return;
  to.builds.add(push.repository.full_name + " " + push.head_commit->id.substr(0, 7));
}

// Assumes that every issue has a text. Many consist of a title.
void label_issue(Downstreams& to, const IssueOpened& event) {
  const auto where = numbered(event.repository, event.issue);
  if (!event.issue.body) throw std::runtime_error("issue '" + where + "' has no body to find words in");
  const auto& body = *event.issue.body;
  for (const char* word : {"crash", "slow", "typo", "spell"}) {
    if (body.find(word) != std::string::npos) to.labels.add(where + " " + word);
  }
}

void announce_issue(Downstreams& to, const IssueOpened& event) {
  to.chat.post("new issue " + numbered(event.repository, event.issue) + " by " + event.issue.user.login +
               ": " + event.issue.title);
}

// Without a text there is nothing to link, and that is all right.
void link_issues(Downstreams& to, const PullRequestOpened& event) {
  const std::string body = event.pull_request.body.value_or("");
  const auto fixes = body.find("Fixes #");
  if (fixes == std::string::npos) return;
  to.labels.add(numbered(event.repository, event.pull_request) + " " + first_line(body.substr(fixes)));
}

void announce_pull_request(Downstreams& to, const PullRequestOpened& event) {
  to.chat.post("new pull request " + numbered(event.repository, event.pull_request) + ": " +
               event.pull_request.title);
}

void announce_release(Downstreams& to, const ReleasePublished& event) {
  to.chat.post(event.repository.full_name + " " + event.release.tag_name + " is out");
}

void write_newsletter(Downstreams& to, const ReleasePublished& event) {
  to.newsletter.add(event.release.name.value_or(""),
                    event.repository.full_name + " " + event.release.tag_name);
}

void tell_mentioned(Downstreams& to, const tidings::Json& comment_created) {
  const auto& comment = comment_created.at("comment");
  const auto mentions = mentions_in(comment.at("body").get_ref<const std::string&>());
  if (mentions.empty()) return;
  to.chat.post(mentions + ": " + comment.at("user").at("login").get<std::string>() + " mentioned you");
}

// Assumes that a commit's author has an account. One whose mail address GitHub does not know has none.
void tell_committer(Downstreams& to, const tidings::Json& status) {
  to.chat.post("@" + status.at("commit").at("author").at("login").get<std::string>() + ": " +
               status.at("context").get<std::string>() + " is " + status.at("state").get<std::string>());
}

void show_activity(Downstreams& to, const tidings::Json& event, const tidings::EventContext& context) {
  const auto repository = event.find("repository");
  if (repository == event.end()) return;
  const auto subject = repository->get<Repository>();
  to.page.show(subject.full_name, subject.is_private, context.event_type());
}

}  // namespace webhooks
