#include "text/near_names.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tidings::tools {
namespace {

/// How many characters have to be put in, taken out or replaced.
std::size_t edits_between(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> near_names(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kMost = 3;
  const std::size_t most_edits = std::max<std::size_t>(2, name.size() / 4);
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& each : known) {
    const auto edits = edits_between(name, each);
    if (!each.empty() && edits <= most_edits && edits < name.size()) found.emplace_back(edits, each);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(found.size(), kMost); ++i) names.push_back(found[i].second);
  return names;
}

}  // namespace tidings::tools
