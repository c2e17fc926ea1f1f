#pragma once

#include "architecture/classes.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace tidings::architecture {

inline constexpr std::size_t kMostMethods = 30;
inline constexpr std::size_t kMostFields = 15;
/// A class is defined in one .cpp.
inline constexpr std::size_t kMostSources = 1;

/// What a class may have that is larger than it should be: no more than it had when it was listed.
struct ClassAllowance {
  std::size_t methods = kMostMethods;
  std::size_t fields = kMostFields;
  std::size_t sources = kMostSources;
};
/// By `module::Class`.
using ClassAllowances = std::map<std::string, ClassAllowance>;
/// Aggregates of options that may have any number of fields, with the reason, by `module::Class`.
using OptionAllowances = std::map<std::string, std::string>;
inline constexpr std::size_t kMostOptionAllowances = 3;

/// What is too large, one line each, and allowances that are not needed any more or are too many.
[[nodiscard]] std::vector<std::string> oversized_classes(const std::vector<ClassFacts>& classes,
                                                         const ClassAllowances& allowances,
                                                         const OptionAllowances& options);

}  // namespace tidings::architecture
