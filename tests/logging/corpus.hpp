#pragma once

#include <string>
#include <vector>

namespace tidings::logging {

/// A line of tests/logging/corpus/secrets.txt.
struct SecretLine {
  std::string secret;  ///< what must not come through
  std::string line;
};

[[nodiscard]] std::vector<SecretLine> secret_lines();
/// Those of innocent.txt, which must stay as they are.
[[nodiscard]] std::vector<std::string> innocent_lines();

}  // namespace tidings::logging
