#include "json/json_builder.hpp"

#include "json/json_walk.hpp"

#include <limits>
#include <utility>

namespace tidings::detail {

bool JsonBuilder::open(Json container) {
  if (levels_.size() >= max_depth_) return false;
  levels_.push_back({std::move(container), {}});
  return true;
}

bool JsonBuilder::close() {
  Json finished = std::move(levels_.back().container);
  levels_.pop_back();
  return place(std::move(finished));
}

bool JsonBuilder::place(Json value) {
  if (levels_.empty()) {
    root_ = std::move(value);
    return true;
  }
  Level& level = levels_.back();
  if (level.container.is_array()) {
    level.container.push_back(std::move(value));
    return true;
  }
  auto& members = level.container.get_ref<Json::object_t&>();
  if (duplicates_ == Duplicates::Refuse && members.contains(level.key)) return false;
  members.insert_or_assign(std::move(level.key), std::move(value));
  return true;
}

namespace {

struct Copier {
  JsonBuilder builder{std::numeric_limits<std::size_t>::max()};

  bool open(const Json& container) { return builder.open(Json(container.type())); }
  void close(const Json&) { static_cast<void>(builder.close()); }
  void element(bool) {}
  void key(const std::string& name, bool) { builder.key(name); }
  bool scalar(const Json& value) { return builder.scalar(value); }
};

}  // namespace

Json copy_json(const Json& value) {
  Copier copier;
  walk_json(value, copier);
  return copier.builder.take();
}

}  // namespace tidings::detail
