#include <tidings/detail/parse_json.hpp>
#include <tidings/logging/sink.hpp>

#include "output/rendering.hpp"
#include "record/scratch.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::logging {

Timestamp VisibleRecord::timestamp() const noexcept { return record_.timestamp(); }
Level VisibleRecord::level() const noexcept { return record_.level(); }
std::string_view VisibleRecord::event() const noexcept { return record_.event(); }
std::string_view VisibleRecord::logger() const noexcept { return record_.logger(); }
std::uint8_t VisibleRecord::trace_flags() const noexcept { return record_.trace_flags(); }

// What is rendered is read again: so a field is never seen otherwise than in the line.
std::optional<Json> VisibleRecord::find(std::string_view name) const {
  std::string value;
  if (!render_json_field(record_, rendering_, name, value)) return std::nullopt;
  return tidings::detail::parse_json(value);
}

Json VisibleRecord::fields() const { return tidings::detail::parse_json(json()); }

std::string_view VisibleRecord::text_as(bool console) const {
  RenderedLines::Line& line = console ? lines_.console : lines_.json;
  if (line.rendered != nullptr && *line.rendered == rendering_) return line.text;
  line.rendered = nullptr;
  line.text.clear();
  (console ? render_console : render_json)(record_, rendering_, line.text);
  line.text.push_back('\n');
  line.rendered = &rendering_;
  return line.text;
}

}  // namespace tidings::logging
