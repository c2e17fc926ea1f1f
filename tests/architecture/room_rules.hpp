#pragma once

#include "architecture/classes.hpp"
#include "architecture/tree.hpp"

#include <map>
#include <string>
#include <vector>

namespace tidings::architecture {

/// For each module the rooms of its src/, which are the folders there. A room may include itself and those
/// before it.
using RoomOrder = std::map<std::string, std::vector<std::string>>;

/// Inclusions against the order, one line each, and folders that are no rooms. What is still in src/ itself
/// may include every room and be included by each.
[[nodiscard]] std::vector<std::string> forbidden_between_rooms(const RoomOrder& rooms,
                                                               const std::vector<TreeFile>& files);

/// Classes of a room's headers with members that another room defines, one line each: a call from one room to
/// a later one that no inclusion shows.
[[nodiscard]] std::vector<std::string> defined_in_other_rooms(const std::vector<ClassFacts>& classes);

}  // namespace tidings::architecture
