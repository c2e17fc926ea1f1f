#pragma once

#include <tidings/logging/record.hpp>
#include <tidings/logging/redactor.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace tidings::logging {

/// How records are rendered; lives as long as the loggers that use it.
struct Rendering {
  const Redactor* redactor = nullptr;  // null: nothing is redacted
  std::size_t max_text_bytes = 65'536;
  bool colour = false;

  bool operator==(const Rendering&) const = default;
};

/// What may be seen of a text: secrets masked, then cut. Points into `text` or into its own buffer.
class VisibleText {
 public:
  VisibleText(std::string_view text, const Rendering& rendering, bool scan = true);
  VisibleText(const VisibleText&) = delete;
  VisibleText& operator=(const VisibleText&) = delete;
  ~VisibleText() = default;

  [[nodiscard]] std::string_view view() const noexcept { return view_; }

 private:
  std::string buffer_;
  std::string_view view_;
};

/// Whether a number must not be seen.
template <class Number>
[[nodiscard]] bool hides(const Rendering& rendering, Number number) noexcept {
  return rendering.redactor != nullptr && rendering.redactor->denies_number(number);
}

/// `2026-11-21T09:30:00.123456Z`.
void append_timestamp(std::string& out, Timestamp time);

/// Appends JSON, ASCII only, its denied keys and secrets redacted. What nests deeper than 100 levels is
/// replaced by a text.
void append_json(std::string& out, const Json& value, const Rendering& rendering);

/// Appends one finished line without its line end. Lazy fields have been evaluated.
void render_json(const Record& record, const Rendering& rendering, std::string& out);
/// Appends the value that render_json writes for a field; false if it writes none of that name.
[[nodiscard]] bool render_json_field(const Record& record, const Rendering& rendering, std::string_view name,
                                     std::string& out);
void render_console(const Record& record, const Rendering& rendering, std::string& out);

/// Ids and names of tidings' own are not scanned for secrets: they have rules of their own.
[[nodiscard]] constexpr bool is_scanned(detail::Reserved which) noexcept {
  return which == detail::Reserved::Error || which == detail::Reserved::ErrorChain ||
         which == detail::Reserved::ForeignId || which == detail::Reserved::ForeignSource;
}

/// Calls `write(name, value)` for each field that is not reserved, masked where its name or path says so.
template <class Write>
void for_each_visible_field(const Record& record, const Rendering& rendering, const Write& write) {
  static const Value mask("[redacted]");
  for (const Record::Entry& entry : record.fields()) {
    if (rendering.redactor != nullptr && rendering.redactor->denies(entry.name)) {
      if (rendering.redactor->action() == Redaction::Mask) write(entry.name, mask);
    } else if (rendering.redactor != nullptr && rendering.redactor->has_path_below(entry.name)) {
      Json copy = entry.value->to_json();
      if (rendering.redactor->redact_below(entry.name, copy)) write(entry.name, Value(std::move(copy)));
    } else {
      write(entry.name, *entry.value);
    }
  }
}

}  // namespace tidings::logging
