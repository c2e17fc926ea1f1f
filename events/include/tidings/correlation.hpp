#pragma once

#include <tidings/metadata.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings {

/// What the next published events inherit. A plain value: capture it, pass it to another thread, and open a
/// CorrelationScope there.
struct CorrelationContext {
  CorrelationId correlation_id = {};
  std::optional<EventId> causation_id = std::nullopt;
  std::optional<TraceParent> traceparent = std::nullopt;
  std::string tracestate = {};
  /// Length of the chain of events that leads here; kept so that carrying a context to another thread does
  /// not escape the bus's causation depth limit. It is the `causation_depth` of an event published in this
  /// context.
  std::uint32_t causation_depth = 0;

  friend bool operator==(const CorrelationContext&, const CorrelationContext&) = default;
};

/// Header names and values, as an HTTP server or client sees them. Names compare without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

namespace detail {

/// One level of a thread's ambient correlation: a scope opened by the user, or an event being handled. Lives
/// on the stack of the thread it is ambient on. Fields are set by the bus; loggers read them.
struct AmbientFrame {
  /// Exactly one of the two is set.
  const CorrelationContext* scope = nullptr;
  const Metadata* event = nullptr;
  /// While an event is handled: its type, its handler and the attempt. Empty in a user's scope.
  std::string_view event_type = {};
  const std::string* handler = nullptr;
  std::uint32_t attempt = 0;
  const AmbientFrame* previous = nullptr;
};

/// The innermost level of the calling thread, or null.
inline thread_local constinit const AmbientFrame* ambient_frame = nullptr;

}  // namespace detail

/// The correlation id that an event published now by this thread would inherit, if any.
[[nodiscard]] std::optional<CorrelationId> current_correlation_id();

/// Everything that an event published now by this thread would inherit; nullopt outside any scope and
/// handler. Inside a handler it is the handled event's: its correlation id, its id as the causation id, its
/// trace.
[[nodiscard]] std::optional<CorrelationContext> capture_correlation();

/// The headers an outgoing request made now should carry: `X-Correlation-ID`, and `traceparent` and
/// `tracestate` when there is a trace. Empty outside any scope and handler.
[[nodiscard]] Headers outbound_headers();

/// Makes a correlation id ambient on the calling thread until the scope is destroyed. Scopes nest; they are
/// destroyed in reverse order, on the thread that made them (they can be neither copied nor moved). A scope
/// opened inside a handler begins a new causation chain, unless it was made from a captured context.
class CorrelationScope {
 public:
  /// A fresh id (UUIDv7).
  CorrelationScope();
  explicit CorrelationScope(const CorrelationId& id);
  /// Throws Error(InvalidArgument) unless `id` is 1 to 128 visible ASCII characters.
  explicit CorrelationScope(std::string_view id);
  /// Restores what capture_correlation() gave, on any thread.
  explicit CorrelationScope(CorrelationContext context);
  /// From an inbound request, which is not trusted: the first valid of `X-Correlation-ID`, `X-Request-ID`,
  /// else the trace id of `traceparent`, else a fresh id. An invalid `traceparent` is ignored together with
  /// its `tracestate`; an invalid `tracestate` alone is dropped. Never throws because of what the headers
  /// hold.
  [[nodiscard]] static CorrelationScope from_headers(const Headers& headers);

  CorrelationScope(const CorrelationScope&) = delete;
  CorrelationScope& operator=(const CorrelationScope&) = delete;
  ~CorrelationScope();

  [[nodiscard]] const CorrelationId& correlation_id() const noexcept { return context_.correlation_id; }
  [[nodiscard]] const CorrelationContext& context() const noexcept { return context_; }

 private:
  CorrelationContext context_;
  detail::AmbientFrame frame_;
};

}  // namespace tidings
