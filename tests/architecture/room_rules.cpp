#include "architecture/room_rules.hpp"

#include "architecture/inclusions.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace tidings::architecture {

namespace {

/// `room` of `module/src/room/...`.
std::optional<std::string> room_of(const std::string& path) {
  const std::string sources = module_of(path) + "/src/";
  const std::size_t end = path.find('/', sources.size());
  if (!path.starts_with(sources) || end == std::string::npos) return std::nullopt;
  return path.substr(sources.size(), end - sources.size());
}

/// The place of a room in its module's order; as many as there are, for what is no room.
std::size_t place_of(const std::string& room, const std::vector<std::string>& order) {
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), room) - order.begin());
}

}  // namespace

std::vector<std::string> forbidden_between_rooms(const RoomOrder& rooms, const std::vector<TreeFile>& files) {
  std::set<std::string> broken;
  for (const auto& [path, included] : inclusions_of(files)) {
    const auto room = room_of(path);
    if (!room) continue;
    const std::string module = module_of(path);
    const auto entry = rooms.find(module);
    const std::vector<std::string> order = entry == rooms.end() ? std::vector<std::string>{} : entry->second;
    if (place_of(*room, order) == order.size())
      broken.insert(module + "/src/" + *room + " is not in the list of rooms");
    for (const std::string& each : included) {
      const auto other = module_of(each) == module ? room_of(each) : std::nullopt;
      if (other && place_of(*other, order) > place_of(*room, order))
        broken.insert(path + " includes " + each);
    }
  }
  return {broken.begin(), broken.end()};
}

std::vector<std::string> defined_in_other_rooms(const std::vector<ClassFacts>& classes) {
  std::vector<std::string> broken;
  for (const ClassFacts& facts : classes) {
    const auto room = room_of(facts.path);
    for (const std::string& source : facts.defined_in) {
      if (room && room_of(source) != room)
        broken.push_back(facts.name + " (" + facts.path + ") is defined in " + source);
    }
  }
  return broken;
}

}  // namespace tidings::architecture
