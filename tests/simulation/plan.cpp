#include "simulation/plan.hpp"

#include <sstream>
#include <stdexcept>

namespace tidings::simulation {

std::int64_t Step::number(const std::string& name, std::int64_t otherwise) const {
  const auto found = details.find(name);
  return found == details.end() ? otherwise : std::stoll(found->second);
}

std::string Step::text(const std::string& name, const std::string& otherwise) const {
  const auto found = details.find(name);
  return found == details.end() ? otherwise : found->second;
}

std::string to_text(const Step& step) {
  std::string line = step.verb;
  for (const auto& [name, value] : step.details) line += ' ' + name + '=' + value;
  return line;
}

std::string to_text(const Plan& plan) {
  std::string text = "seed " + std::to_string(plan.seed) + '\n';
  for (const Step& step : plan.steps) text += to_text(step) + '\n';
  return text;
}

Step parse_step(std::string_view line) {
  std::istringstream words{std::string(line)};
  Step step;
  words >> step.verb;
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("no detail of a step: " + word);
    step.details[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return step;
}

Plan parse_plan(const std::string& text) {
  std::istringstream lines(text);
  Plan plan;
  std::string word;
  if (!(lines >> word >> plan.seed) || word != "seed")
    throw std::invalid_argument("a plan begins with its seed");
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(' ') != std::string::npos) plan.steps.push_back(parse_step(line));
  }
  return plan;
}

}  // namespace tidings::simulation
