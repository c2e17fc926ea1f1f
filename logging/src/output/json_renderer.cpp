#include "output/rendering.hpp"
#include "text/json_text.hpp"

namespace tidings::logging {

namespace {

class JsonValueWriter {
 public:
  JsonValueWriter(std::string& out, const Rendering& rendering, bool scan) noexcept
      : out_(out), rendering_(rendering), scan_(scan) {}

  void operator()(std::monostate) const { out_ += "null"; }
  void operator()(bool value) const { out_ += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { number(value); }
  void operator()(std::uint64_t value) const { number(value); }
  void operator()(double value) const { number(value); }
  void operator()(std::string_view text) const {
    append_json_string(out_, VisibleText(text, rendering_, scan_).view());
  }
  void operator()(const std::string& text) const { (*this)(std::string_view(text)); }
  void operator()(const Json* json) const { append_json(out_, *json, rendering_); }
  void operator()(const std::shared_ptr<const Json>& json) const { append_json(out_, *json, rendering_); }
  // Evaluated and unfolded before rendering.
  void operator()(const Value::Lazy&) const { out_ += "null"; }
  void operator()(const std::shared_ptr<const ErrorDescription>& error) const {
    append_json(out_, Value(*error).to_json(), rendering_);
  }

 private:
  template <class Number>
  void number(Number value) const {
    if (scan_ && hides(rendering_, value)) {
      out_ += "\"[redacted]\"";
    } else {
      append_json_number(out_, value);
    }
  }

  std::string& out_;
  const Rendering& rendering_;
  bool scan_;
};

// The facts of a record, which are no Values.
bool append_fact(std::string& out, const Record& record, std::string_view name) {
  if (name == "timestamp") {
    out.push_back('"');
    append_timestamp(out, record.timestamp());
    out.push_back('"');
  } else if (name == "level") {
    append_json_string(out, to_string(record.level()));
  } else if (name == "event") {
    append_json_string(out, record.event());
  } else if (name == "logger" && !record.logger().empty()) {
    append_json_string(out, record.logger());
  } else {
    return false;
  }
  return true;
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, text);
}

void append_reserved(std::string& out, const Record& record, const Rendering& rendering) {
  for (std::size_t index = 0; index < detail::kReservedCount; ++index) {
    const auto which = static_cast<detail::Reserved>(index);
    const Value* value = record.reserved(which);
    if (value == nullptr) continue;
    out += ",\"";
    out += detail::reserved_name(which);
    out += "\":";
    std::visit(JsonValueWriter(out, rendering, is_scanned(which)), value->storage());
  }
}

}  // namespace

void render_json(const Record& record, const Rendering& rendering, std::string& out) {
  out += "{\"timestamp\":\"";
  append_timestamp(out, record.timestamp());
  out.push_back('"');
  append_member(out, "level", to_string(record.level()));
  append_member(out, "event", record.event());
  if (!record.logger().empty()) append_member(out, "logger", record.logger());
  append_reserved(out, record, rendering);
  for_each_visible_field(record, rendering, [&](std::string_view name, const Value& value) {
    out.push_back(',');
    append_json_string(out, name);
    out.push_back(':');
    std::visit(JsonValueWriter(out, rendering, true), value.storage());
  });
  out.push_back('}');
}

bool render_json_field(const Record& record, const Rendering& rendering, std::string_view name,
                       std::string& out) {
  if (append_fact(out, record, name)) return true;
  const auto which = detail::find_reserved(name);
  if (const Value* const value = which ? record.reserved(*which) : nullptr) {
    std::visit(JsonValueWriter(out, rendering, is_scanned(*which)), value->storage());
    return true;
  }
  bool found = false;
  for_each_visible_field(record, rendering, [&](std::string_view each, const Value& value) {
    if (found || each != name) return;
    found = true;
    std::visit(JsonValueWriter(out, rendering, true), value.storage());
  });
  return found;
}

}  // namespace tidings::logging
