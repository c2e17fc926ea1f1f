#include "report.hpp"

#include <tidings/logging/text.hpp>

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhooks {
namespace {

constexpr std::size_t kShownMessages = 3;
constexpr std::size_t kShownRepositories = 5;
constexpr std::size_t kShownBytes = 90;

/// One line, without anything that a terminal would obey.
std::string printable(std::string_view text) {
  std::string shown = tidings::logging::sanitize_text(text, kShownBytes);
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  return shown;
}

/// A page of headings and indented lines.
class Page {
 public:
  Page(std::ostream& out, bool colour) : out_(out), colour_(colour) {}

  void heading(std::string_view text) { out_ << '\n' << styled(kBold, text) << '\n'; }
  void line(std::string_view text) { out_ << "  " << text << '\n'; }
  void warning(std::string_view text) { line(styled(kYellow, text)); }

  void columns() { row("", "published", "handled", "retries", "dead"); }
  void row(const std::string& name, const Account& account) {
    const auto dead = std::to_string(account.dead_letters);
    row(name, std::to_string(account.published), std::to_string(account.handled),
        std::to_string(account.retries), dead, account.dead_letters > 0);
  }

 private:
  static constexpr std::string_view kBold = "\033[1m";
  static constexpr std::string_view kYellow = "\033[33m";

  [[nodiscard]] std::string styled(std::string_view style, std::string_view text) const {
    return colour_ ? std::string(style) + std::string(text) + "\033[0m" : std::string(text);
  }
  void row(const std::string& name, const std::string& published, const std::string& handled,
           const std::string& retries, const std::string& dead, bool alarming = false) {
    std::ostringstream text;
    text << std::left << std::setw(44) << name << std::right << std::setw(10) << published << std::setw(8)
         << handled << std::setw(8) << retries << std::setw(6) << dead;
    if (alarming) {
      warning(text.str());
    } else {
      line(text.str());
    }
  }

  std::ostream& out_;
  bool colour_;
};

void print_messages(Page& page, const std::string& heading, const std::vector<std::string>& messages) {
  page.heading(heading + ": " + std::to_string(messages.size()));
  const auto shown = std::min(messages.size(), kShownMessages);
  for (std::size_t i = 0; i < shown; ++i) page.line(printable(messages[i]));
  if (messages.size() > shown) page.line("... and " + std::to_string(messages.size() - shown) + " more");
}

void print_repositories(Page& page, const Audit& audit) {
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  for (const auto& count : audit.by_repository()) counts.emplace_back(count);
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  page.heading("Events by repository");
  for (std::size_t i = 0; i < std::min(counts.size(), kShownRepositories); ++i) {
    const auto name = counts[i].first.empty() ? "(none)" : printable(counts[i].first);
    page.line(std::to_string(counts[i].second) + "  " + name);
  }
}

void print_accounts(Page& page, const Report& report) {
  page.heading("Deliveries by handler");
  page.columns();
  Account total;
  for (const Account& account : report.accounts) {
    page.row(account.event_type + " " + account.handler, account);
    total.published += account.published;
    total.handled += account.handled;
    total.retries += account.retries;
    total.dead_letters += account.dead_letters;
    total.redriven += account.redriven;
  }
  page.row("all", total);
  if (total.redriven > 0) {
    page.line("Handled are also " + std::to_string(total.redriven) + " dead letters of earlier runs.");
  }
}

}  // namespace

bool Report::is_balanced() const {
  return std::all_of(accounts.begin(), accounts.end(),
                     [](const Account& each) { return each.is_balanced(); });
}

void print_report(std::ostream& out, const Report& report, const Service& service, bool colour) {
  Page page(out, colour);
  const Downstreams& downstreams = service.downstreams();
  page.heading("Events taken in: " + std::to_string(report.events));
  print_messages(page, "Changelog", downstreams.changelog.messages());
  print_messages(page, "Builds started", downstreams.builds.messages());
  print_messages(page, "Labels and links", downstreams.labels.messages());
  print_messages(page, "Chat messages", downstreams.chat.posted());
  print_messages(page, "Newsletter", downstreams.newsletter.items());
  print_messages(page, "Public activity", downstreams.page.entries());
  print_repositories(page, service.audit());
  print_accounts(page, report);
  if (report.is_balanced()) {
    page.line("Nothing is lost: published = handled + dead, for every handler.");
  } else {
    page.warning("THE NUMBERS DO NOT ADD UP: published is not handled + dead.");
  }
  if (!report.refused.empty()) page.heading("Lines refused: " + std::to_string(report.refused.size()));
  for (const auto& line : report.refused) {
    page.warning("line " + std::to_string(line.number) + ": " + printable(line.problem));
  }
}

tidings::Json to_json(const Report& report) {
  tidings::Json json = {{"events", report.events},
                        {"balanced", report.is_balanced()},
                        {"refused_lines", tidings::Json::array()},
                        {"handlers", tidings::Json::array()}};
  for (const auto& line : report.refused) {
    json["refused_lines"].push_back({{"line", line.number}, {"problem", line.problem}});
  }
  for (const Account& account : report.accounts) {
    json["handlers"].push_back({{"event_type", account.event_type},
                                {"handler", account.handler},
                                {"published", account.published},
                                {"handled", account.handled},
                                {"retries", account.retries},
                                {"dead_letters", account.dead_letters},
                                {"redriven", account.redriven}});
  }
  return json;
}

}  // namespace webhooks
