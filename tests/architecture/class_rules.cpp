#include "architecture/class_rules.hpp"

#include "architecture/inclusions.hpp"

#include <set>

namespace tidings::architecture {

namespace {

bool keeps_to(const ClassFacts& facts, const ClassAllowance& most) {
  return facts.methods <= most.methods && facts.fields <= most.fields &&
         facts.defined_in.size() <= most.sources;
}

/// `Name (path): 31 methods of 30, 16 fields of 15, defined in 2 of 1 .cpp files`.
std::string describe(const ClassFacts& facts, const ClassAllowance& most) {
  return facts.name + " (" + facts.path + "): " + std::to_string(facts.methods) + " methods of " +
         std::to_string(most.methods) + ", " + std::to_string(facts.fields) + " fields of " +
         std::to_string(most.fields) + ", defined in " + std::to_string(facts.defined_in.size()) + " of " +
         std::to_string(most.sources) + " .cpp files";
}

}  // namespace

std::vector<std::string> oversized_classes(const std::vector<ClassFacts>& classes,
                                           const ClassAllowances& allowances,
                                           const OptionAllowances& options) {
  std::vector<std::string> broken;
  std::set<std::string> needed;
  for (const ClassFacts& facts : classes) {
    if (keeps_to(facts, {})) continue;
    const std::string name = module_of(facts.path) + "::" + facts.name;
    needed.insert(name);
    const auto allowed = allowances.find(name);
    ClassAllowance most = allowed == allowances.end() ? ClassAllowance{} : allowed->second;
    if (options.contains(name)) most.fields = facts.fields;
    if (!keeps_to(facts, most)) broken.push_back(describe(facts, most));
  }
  for (const auto& [name, allowance] : allowances)
    if (!needed.contains(name)) broken.push_back(name + " needs no allowance any more");
  for (const auto& [name, reason] : options) {
    if (!needed.contains(name)) broken.push_back(name + " needs no allowance any more");
    if (reason.empty()) broken.push_back(name + " has an allowance without a reason");
  }
  if (options.size() > kMostOptionAllowances)
    broken.emplace_back("too many aggregates of options are allowed");
  return broken;
}

}  // namespace tidings::architecture
