#pragma once

#include <string>
#include <vector>

namespace tidings::deadletter {

// The statements that each version adds to a database of the one before.

[[nodiscard]] std::vector<std::string> second_version();
[[nodiscard]] std::vector<std::string> third_version();

/// SQL for the next number of column `version` of dead_letters: above every one that was ever given. `schema`
/// is `main.`, or nothing within a trigger.
[[nodiscard]] std::string next_letter_version(const std::string& schema = "");

/// The statement that makes the view dead_letters_readable. The columns of later versions follow those of
/// the first, in the order in which they were added.
[[nodiscard]] std::string readable_view(const std::string& columns_of_later_versions = "");

}  // namespace tidings::deadletter
