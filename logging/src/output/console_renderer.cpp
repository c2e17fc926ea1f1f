#include "output/rendering.hpp"
#include "text/json_text.hpp"
#include "text/utf8.hpp"

#include <tidings/detail/utf8.hpp>

#include <array>
#include <cmath>

namespace tidings::logging {

namespace {

using detail::Reserved;

constexpr std::size_t kLevelWidth = 8;
constexpr std::size_t kEventWidth = 26;
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kReset = "\x1b[0m";

// What a person wants first, and the ids they search for afterwards.
constexpr std::array kBeforeFields = {Reserved::EventType, Reserved::Handler, Reserved::Attempt,
                                      Reserved::ErrorType, Reserved::Error,   Reserved::ErrorChain};
constexpr std::array kAfterFields = {
    Reserved::Service,   Reserved::CorrelationId, Reserved::CausationId, Reserved::EventId,
    Reserved::ForeignId, Reserved::ForeignSource, Reserved::TraceId,     Reserved::SpanId,
    Reserved::Host,      Reserved::Pid,           Reserved::Thread,      Reserved::Environment,
    Reserved::Release,   Reserved::SourceFile,    Reserved::SourceLine,  Reserved::SourceFunction};
static_assert(kBeforeFields.size() + kAfterFields.size() == detail::kReservedCount);

constexpr std::string_view colour_of(Level level) noexcept {
  switch (level) {
    case Level::Trace:
    case Level::Debug:
      return kDim;
    case Level::Info:
      return "\x1b[32m";
    case Level::Warning:
      return "\x1b[33m";
    case Level::Error:
      return "\x1b[31m";
    default:
      return "\x1b[1;31m";
  }
}

constexpr bool is_bare(char c) noexcept {
  return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\' && c != '\'';
}

// Controls, and what reorders, hides or splits what stands around it.
constexpr bool is_invisible(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

void append_escape(std::string& out, char32_t c) {
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += c < 0x100 ? "\\x" : "\\u{";
    bool leading = c >= 0x100;
    for (int shift = c < 0x100 ? 4 : 20; shift >= 0; shift -= 4) {
      const auto digit = (static_cast<std::uint32_t>(c) >> static_cast<unsigned>(shift)) & 0xfU;
      leading = leading && digit == 0;
      if (!leading) out.push_back(kDigits[digit]);
    }
    if (c >= 0x100) out.push_back('}');
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t at = 0; at < text.size();) {
    const tidings::detail::CodePoint character = tidings::detail::first_code_point(text.substr(at));
    at += character.length;
    if (is_invisible(character.value)) {
      append_escape(out, character.value);
    } else {
      if (character.value == '"' || character.value == '\\') out.push_back('\\');
      append_utf8(out, character.value);
    }
  }
  out.push_back('"');
}

void append_text(std::string& out, std::string_view text) {
  bool bare = !text.empty();
  for (const char c : text) bare = bare && is_bare(c);
  if (bare) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

class ConsoleLine {
 public:
  ConsoleLine(std::string& out, const Rendering& rendering) noexcept : out_(out), rendering_(rendering) {}

  void heading(const Record& record) {
    coloured(kDim, [&] { append_timestamp(out_, record.timestamp()); });
    out_.push_back(' ');
    coloured(colour_of(record.level()), [&] { padded(to_string(record.level()), kLevelWidth); });
    out_.push_back(' ');
    coloured(kBold, [&] { padded(record.event(), kEventWidth); });
    if (!record.logger().empty()) field("logger", record.logger(), false);
  }

  void field(std::string_view name, const Value& value, bool scan) {
    out_.push_back(' ');
    coloured(kCyan, [&] { append_text(out_, name); });
    out_.push_back('=');
    std::visit([&](const auto& content) { append(content, scan); }, value.storage());
  }

  template <class Order>
  void reserved(const Record& record, const Order& order) {
    for (const Reserved which : order) {
      const Value* value = record.reserved(which);
      if (value != nullptr) field(detail::reserved_name(which), *value, is_scanned(which));
    }
  }

 private:
  template <class Write>
  void coloured(std::string_view colour, const Write& write) {
    if (rendering_.colour) out_ += colour;
    write();
    if (rendering_.colour) out_ += kReset;
  }

  void padded(std::string_view text, std::size_t width) {
    const std::size_t begin = out_.size();
    append_text(out_, text);
    const std::size_t written = out_.size() - begin;
    if (written < width) out_.append(width - written, ' ');
  }

  void append(std::monostate, bool) { out_ += "null"; }
  void append(bool value, bool) { out_ += value ? "true" : "false"; }
  void append(std::int64_t value, bool scan) { number(value, scan); }
  void append(std::uint64_t value, bool scan) { number(value, scan); }
  void append(double value, bool scan) {
    if (std::isfinite(value)) {
      number(value, scan);
    } else {
      out_ += std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
  }
  template <class Number>
  void number(Number value, bool scan) {
    if (scan && hides(rendering_, value)) {
      out_ += "[redacted]";
    } else {
      append_json_number(out_, value);
    }
  }
  void append(std::string_view text, bool scan) {
    append_text(out_, VisibleText(text, rendering_, scan).view());
  }
  void append(const std::string& text, bool scan) { append(std::string_view(text), scan); }
  void append(const Json* json, bool) { append_json(out_, *json, rendering_); }
  void append(const std::shared_ptr<const Json>& json, bool) { append_json(out_, *json, rendering_); }
  // Evaluated and unfolded before rendering.
  void append(const Value::Lazy&, bool) { out_ += "null"; }
  void append(const std::shared_ptr<const ErrorDescription>& error, bool) {
    append_json(out_, Value(*error).to_json(), rendering_);
  }

  std::string& out_;
  const Rendering& rendering_;
};

}  // namespace

void render_console(const Record& record, const Rendering& rendering, std::string& out) {
  ConsoleLine line(out, rendering);
  line.heading(record);
  line.reserved(record, kBeforeFields);
  for_each_visible_field(record, rendering,
                         [&](std::string_view name, const Value& value) { line.field(name, value, true); });
  line.reserved(record, kAfterFields);
}

}  // namespace tidings::logging
