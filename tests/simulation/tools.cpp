#include "simulation/tools.hpp"

#include "tools/tool_process.hpp"

#include <nlohmann/json.hpp>

#include <vector>

namespace tidings::simulation {
namespace {

using check_dead_letters::run_tool;
using check_dead_letters::ToolRun;

/// The tools as they are beside this program, so that a copy of the three goes on while others are built.
std::string program(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

/// Ids of unresolved letters of handlers; only of those that are on their way, if there are any.
std::vector<std::int64_t> interesting_ids(const Facts& facts) {
  const bool marked = facts.any_marked();
  std::vector<std::int64_t> ids;
  for (const auto& [delivery, letters] : facts.letters) {
    for (const LetterFact& letter : letters) {
      if (!letter.resolution.empty() || delivery.first.empty()) continue;
      if (letter.marked || !marked) ids.push_back(letter.id);
    }
  }
  return ids;
}

/// Empty: there is nothing to do it to.
std::vector<std::string> arguments_of(const Step& step, const Facts& facts) {
  const std::string verb = step.text("verb");
  const auto ids = interesting_ids(facts);
  if (verb == "purge") return {"purge", "--older-than", "0s"};
  if (ids.empty()) return {};
  const std::string picked = std::to_string(ids[static_cast<std::size_t>(step.number("pick")) % ids.size()]);
  if (verb == "discard") return {"discard", picked, "--reason", "simulated"};
  if (verb == "retry_one") return {"retry", picked};
  if (verb == "edit") return {"edit", picked, "--set", "/mended=true"};
  std::vector<std::string> arguments{verb, "--all"};
  if (step.number("canary") > 0) arguments.insert(arguments.end(), {"--canary", step.text("canary")});
  if (step.number("stop") > 0) arguments.insert(arguments.end(), {"--stop-after", step.text("stop")});
  return arguments;
}

}  // namespace

std::optional<std::string> tool_trouble(const std::filesystem::path& database, const Step& step) {
  std::vector<std::string> arguments{"--db", database.native(), "--json"};
  const auto more = arguments_of(step, facts_of(database));
  if (more.empty()) return std::nullopt;
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ToolRun run = run_tool(arguments, {.program = program("dead-letters")});
  // Nothing to do, a letter that was resolved meanwhile, or a database or letter that is busy.
  for (const int status : {0, 65, 66, 69, 75})
    if (run.exit_status == status) return std::nullopt;
  return "dead-letters " + more.front() + " ended with " + std::to_string(run.exit_status) + ": " + run.out +
         run.err;
}

std::optional<std::string> what_the_check_gets_wrong(const std::filesystem::path& database,
                                                     const Facts& facts) {
  const ToolRun run =
      run_tool({"--db", database.native(), "--json"}, {.program = program("check-dead-letters")});
  const auto told = nlohmann::json::parse(run.out, nullptr, false);
  if (told.is_discarded()) return "check-dead-letters says: " + run.out + run.err;
  const auto& one = told.at("databases").at(0);
  if (!one.at("error").is_null()) return "check-dead-letters says: " + run.out;
  const auto unresolved = one.at("unresolved").get<std::size_t>();
  const auto events = one.at("journal").at("events").get<std::size_t>();
  const bool waits = one.at("spill").at("bytes").get<std::size_t>() > 0;
  if (unresolved == facts.unresolved() && events == facts.events && (!waits || !facts.spilled.empty()))
    return std::nullopt;
  return "check-dead-letters counts " + std::to_string(unresolved) + " unresolved letters and " +
         std::to_string(events) + " events, the database has " + std::to_string(facts.unresolved()) +
         " and " + std::to_string(facts.events) + (waits ? "; letters are said to be spilled" : "");
}

}  // namespace tidings::simulation
