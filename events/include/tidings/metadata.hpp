#pragma once

#include <tidings/context_fields.hpp>
#include <tidings/ids.hpp>
#include <tidings/trace_context.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidings {

/// Text that may borrow its characters while an event is dispatched. Every copy owns its characters, so
/// metadata that is passed on never dangles, and stamping an event never allocates.
class Text {
 public:
  Text() noexcept = default;
  /// Owns. (Implicit, so that metadata can be filled from strings.)
  Text(std::string text) : owned_(std::move(text)) { view_owned(); }  // NOLINT(google-explicit-constructor)
  Text(const char* text) : Text(std::string(text)) {}                 // NOLINT(google-explicit-constructor)
  Text(const Text& other) : owned_(other.view_) { view_owned(); }
  Text(Text&& other) noexcept : Text() { take(other); }
  Text& operator=(const Text& other) {
    if (this != &other) *this = Text(other);
    return *this;
  }
  Text& operator=(Text&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~Text() = default;

  /// Borrows `text`, which must outlive this object and all that it is moved into. A copy owns its
  /// characters.
  [[nodiscard]] static Text borrow(std::string_view text) noexcept { return Text(Borrowed{}, text); }

  [[nodiscard]] std::string_view view() const noexcept { return view_; }
  [[nodiscard]] std::string str() const { return std::string(view_); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
  operator std::string_view() const noexcept { return view_; }  // NOLINT(google-explicit-constructor)

  friend bool operator==(const Text& left, const Text& right) noexcept { return left.view_ == right.view_; }

 private:
  struct Borrowed {};
  Text(Borrowed, std::string_view text) noexcept : view_(text) {}

  /// Leaves `other` empty. Taking borrowed text only clears the strings.
  void take(Text& other) noexcept {
    if (other.owned_.empty()) {
      if (!owned_.empty()) owned_.clear();
      view_ = other.view_;
    } else {
      owned_ = std::move(other.owned_);
      view_owned();
      other.owned_.clear();
    }
    other.view_ = {};
  }
  void view_owned() noexcept { view_ = owned_.empty() ? std::string_view() : std::string_view(owned_); }

  std::string owned_;  // empty, or what view_ views
  std::string_view view_;
};

/// Whether `text` can be an event's `source`: a non-empty URI-reference (RFC 3986, section 4.1) such as
/// `orders`,
/// `/orders/eu` or `https://example.com/orders`.
[[nodiscard]] bool is_uri_reference(std::string_view text) noexcept;

/// The longest foreign id of an event that is published, in bytes.
inline constexpr std::size_t kMaxForeignId = 1024;
/// Whether `text` can be the foreign id of an event: 1 to kMaxForeignId bytes of UTF-8 without control
/// characters and Unicode noncharacters, as CloudEvents has it.
[[nodiscard]] bool is_foreign_id(std::string_view text) noexcept;

/// What tidings knows about a published event besides its payload. A copy owns all it holds.
struct Metadata {
  EventId event_id = {};
  /// The request this event belongs to.
  CorrelationId correlation_id = {};
  /// The event whose handler published this one.
  std::optional<EventId> causation_id = std::nullopt;
  /// Frozen at publish.
  std::optional<TraceParent> traceparent = std::nullopt;
  Text tracestate = {};
  Timestamp published_at{};
  /// Who published: a URI-reference (CloudEvents `source`).
  Text source = {};
  /// The id that another system gave to the event, if it came from one: the pair of `source` and this
  /// identifies it there. It is this event's alone: nothing inherits it. Never empty text.
  std::optional<std::string> foreign_id = std::nullopt;
  /// The request's own facts. The table calls them `attributes`.
  ContextFields fields = {};
  /// How many events precede this one in its chain of causes; 0 for the first.
  std::uint32_t causation_depth = 0;
  /// How many attempts each delivery of this event has at most, whatever its handler's policy says
  /// (PublishOptions::max_attempts); 0: what the policy says. It is this event's alone: nothing inherits it,
  /// and letters do not have it.
  std::uint32_t max_attempts = 0;

  friend bool operator==(const Metadata&, const Metadata&) = default;
};

}  // namespace tidings
