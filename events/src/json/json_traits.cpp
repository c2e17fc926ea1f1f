#include "json/json_traits.hpp"

#include <tidings/detail/utf8.hpp>

#include "json/json_walk.hpp"

#include <algorithm>
#include <cmath>

namespace tidings {
namespace detail {
namespace {

struct Examiner {
  JsonTraits traits;
  std::size_t depth = 0;

  bool open(const Json&) {
    traits.depth = std::max(traits.depth, ++depth);
    return true;
  }
  void close(const Json&) { --depth; }
  void element(bool) {}
  void key(const std::string& name, bool) { check_text(name); }
  bool scalar(const Json& value) {
    if (value.is_string()) check_text(value.get_ref<const std::string&>());
    if (value.is_number_float()) traits.has_non_finite |= !std::isfinite(value.get<double>());
    traits.has_binary |= value.is_binary();
    traits.has_discarded |= value.is_discarded();
    return true;
  }
  void check_text(std::string_view text) { traits.has_invalid_text |= !is_valid_utf8(text); }
};

struct DepthGauge {
  std::size_t depth = 0;
  std::size_t deepest = 0;

  bool open(const Json&) {
    deepest = std::max(deepest, ++depth);
    return true;
  }
  void close(const Json&) { --depth; }
  void element(bool) {}
  void key(const std::string&, bool) {}
  bool scalar(const Json&) { return true; }
};

}  // namespace

JsonTraits examine_json(const Json& value) {
  Examiner examiner;
  walk_json(value, examiner);
  return examiner.traits;
}

}  // namespace detail

std::size_t json_depth(const Json& value) {
  detail::DepthGauge gauge;
  detail::walk_json(value, gauge);
  return gauge.deepest;
}

}  // namespace tidings
