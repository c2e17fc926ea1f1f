#pragma once

#include <tidings/event.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace tidings::detail {

/// What becomes of a key that an object has twice.
enum class Duplicates : std::uint8_t { LastWins, Refuse };

/// Puts a Json together from its parts in order, with a stack on the heap. The caller keeps the order: open
/// and close match, and each value in an object comes after its key.
class JsonBuilder {
 public:
  explicit JsonBuilder(std::size_t max_depth, Duplicates duplicates = Duplicates::LastWins)
      : max_depth_(max_depth), duplicates_(duplicates) {}

  /// Begins an empty array or object; false if that would be too deep.
  [[nodiscard]] bool open(Json container);
  void key(std::string name) { levels_.back().key = std::move(name); }
  /// False if the key is a duplicate to be refused.
  [[nodiscard]] bool scalar(Json value) { return place(std::move(value)); }
  /// Likewise.
  [[nodiscard]] bool close();

  /// Containers that are open.
  [[nodiscard]] std::size_t depth() const noexcept { return levels_.size(); }
  /// The finished value.
  [[nodiscard]] Json take() { return std::move(root_); }

 private:
  struct Level {
    Json container;
    std::string key;
  };
  [[nodiscard]] bool place(Json value);

  std::size_t max_depth_;
  Duplicates duplicates_;
  std::vector<Level> levels_;
  Json root_;
};

/// As Json's copy constructor, but without recursion.
[[nodiscard]] Json copy_json(const Json& value);

}  // namespace tidings::detail
