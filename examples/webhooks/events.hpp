#pragma once

#include "optional_json.hpp"

#include <tidings/event.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What the service knows of GitHub's webhook payloads: the fields it uses, under GitHub's names, so that a
// payload and a struct stand for the same event. What may be null is optional here; what may not is not, and
// a payload without it does not fit.
namespace webhooks {

struct User {
  std::string login;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(User, login)
};

struct Repository {
  std::string full_name;
  bool is_private{};
};
// By hand, because GitHub calls the second field `private`.
inline void to_json(tidings::Json& json, const Repository& repository) {
  json = {{"full_name", repository.full_name}, {"private", repository.is_private}};
}
inline void from_json(const tidings::Json& json, Repository& repository) {
  json.at("full_name").get_to(repository.full_name);
  json.at("private").get_to(repository.is_private);
}

/// The repository's full name in any payload; empty when it has none.
[[nodiscard]] inline std::string repository_of(const tidings::Json& payload) {
  const tidings::Json::json_pointer name("/repository/full_name");
  return payload.contains(name) && payload.at(name).is_string() ? payload.at(name).get<std::string>() : "";
}

struct Commit {
  std::string id;
  std::string message;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Commit, id, message)
};

struct Push {
  static constexpr std::string_view event_type = "github.push";
  Repository repository;
  User sender;
  std::string ref;
  std::optional<Commit> head_commit;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Push, repository, sender, ref, head_commit)
};

struct Issue {
  std::int64_t number{};
  std::string title;
  std::optional<std::string> body;
  User user;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Issue, number, title, body, user)
};

struct IssueOpened {
  static constexpr std::string_view event_type = "github.issues.opened";
  Repository repository;
  Issue issue;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(IssueOpened, repository, issue)
};

/// A pull request is an issue with a branch, and GitHub describes it with the same fields.
struct PullRequestOpened {
  static constexpr std::string_view event_type = "github.pull_request.opened";
  Repository repository;
  Issue pull_request;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PullRequestOpened, repository, pull_request)
};

struct Release {
  std::string tag_name;
  std::optional<std::string> name;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Release, tag_name, name)
};

struct ReleasePublished {
  static constexpr std::string_view event_type = "github.release.published";
  Repository repository;
  Release release;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(ReleasePublished, repository, release)
};

}  // namespace webhooks
