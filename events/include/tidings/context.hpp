#pragma once

#include <tidings/metadata.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidings {

/// Header names and values, as an HTTP server or client sees them. Names compare without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The names under which a context travels between services.
struct HeaderNames {
  /// Headers of a request that may hold the correlation id, most trusted first.
  std::vector<std::string> inbound = {"X-Correlation-ID", "X-Request-ID",   "X-Trace-ID",
                                      "x_trace_id",       "Correlation-Id", "Request-Id"};
  /// Headers that carry it in calls to other services and in responses.
  std::vector<std::string> outbound = {"X-Correlation-ID", "X-Request-ID"};
  std::string traceparent = "traceparent";
  std::string tracestate = "tracestate";

  /// The default names. Valid for ever.
  [[nodiscard]] static const HeaderNames& standard();
};

/// What an event inherits when it is published: the ids that tie it to its request, and the request's own
/// facts. A plain value: make one, or capture the current one, pass it to any thread, and open a ContextScope
/// there.
///
///     const ContextScope request(Context::from_headers(headers).with({{"path", path}, {"user", user}}));
///     bus.publish(OrderPlaced{...});  // bears them all, and so does all that follows from it
struct Context {
  /// Not set: each event starts with its own id.
  CorrelationId correlation_id = {};
  std::optional<EventId> causation_id = std::nullopt;
  std::optional<TraceParent> traceparent = std::nullopt;
  std::string tracestate = {};
  ContextFields fields = {};
  /// Length of the chain of events that leads here; kept so that carrying a context to another thread does
  /// not escape the bus's causation depth limit. It is the `causation_depth` of an event published in this
  /// context.
  std::uint32_t causation_depth = 0;

  /// That of the calling thread: inside a handler the handled event's, with its id as the causation id. Empty
  /// outside any scope and handler.
  [[nodiscard]] static Context current();
  /// A new correlation id (UUIDv7) and nothing else.
  [[nodiscard]] static Context fresh();
  /// That correlation id and nothing else. Throws Error(InvalidArgument) unless `correlation_id` is 1 to 128
  /// visible ASCII characters; from_headers() is for ids that come from outside.
  [[nodiscard]] static Context from_id(std::string_view correlation_id);
  /// From an inbound request, which is not trusted: the first valid id of the headers in `names.inbound`,
  /// else the trace id of the traceparent, else a fresh id. An invalid traceparent is ignored together with
  /// its tracestate, and so are several; an invalid tracestate alone is dropped, and several are one list
  /// (W3C Trace Context, sections 3.3 and 4.3). Never throws because of what the headers hold.
  [[nodiscard]] static Context from_headers(const Headers& headers,
                                            const HeaderNames& names = HeaderNames::standard());

  /// This context with further fields. Throws Error(InvalidArgument) for a field that breaks a rule of
  /// ContextFields.
  [[nodiscard]] Context with(std::string_view name, ContextValue value) const;
  [[nodiscard]] Context with(std::initializer_list<ContextField> further) const;

  /// The headers of a request to another service: the correlation id, and the trace if there is one.
  [[nodiscard]] Headers outbound_headers(const HeaderNames& names = HeaderNames::standard()) const;
  /// The headers of the response to the caller: the correlation id, and `Access-Control-Expose-Headers`,
  /// without which scripts in a browser cannot read it. (A response carries no traceparent.)
  [[nodiscard]] Headers response_headers(const HeaderNames& names = HeaderNames::standard()) const;

  friend bool operator==(const Context&, const Context&) = default;
};

namespace detail {

/// What a handler has bound to one attempt.
struct BoundFields {
  const std::string* handler = nullptr;
  std::uint32_t attempt = 0;
  ContextFields fields = {};
};

/// One level of a thread's context: a scope opened by the user, or an event being handled. Lives on the stack
/// of the thread whose context it is. Fields are set by the bus; loggers read them.
struct AmbientFrame {
  /// Exactly one of the two is set.
  const Context* scope = nullptr;
  const Metadata* event = nullptr;
  /// While an event is handled: its type, its handler and the attempt. Empty in a user's scope.
  std::string_view event_type = {};
  const std::string* handler = nullptr;
  std::uint32_t attempt = 0;
  /// Where the pointer to what handlers of this event have bound will be; null: nowhere.
  BoundFields* const* bound = nullptr;
  /// The span that is open: what is published, called and logged has it as its parent. Null: that of the
  /// event or scope, if it has one.
  const TraceParent* span = nullptr;
  const AmbientFrame* previous = nullptr;

  [[nodiscard]] const ContextFields& fields() const noexcept {
    return event != nullptr ? event->fields : scope->fields;
  }
  /// Null: there is no trace.
  [[nodiscard]] const TraceParent* traceparent() const noexcept {
    if (span != nullptr) return span;
    const auto& own = event != nullptr ? event->traceparent : scope->traceparent;
    return own ? &*own : nullptr;
  }
  /// That of the trace: none is known of one that began with the open span.
  [[nodiscard]] std::string_view tracestate() const noexcept {
    const auto& own = event != nullptr ? event->traceparent : scope->traceparent;
    if (span != nullptr && (!own || own->trace_id != span->trace_id)) return {};
    return event != nullptr ? event->tracestate.view() : std::string_view(scope->tracestate);
  }
  /// What was bound during this attempt of this handler; null: nothing. Comparing here costs a delivery
  /// nothing, as clearing at each attempt would.
  [[nodiscard]] const ContextFields* bound_fields() const noexcept {
    if (bound == nullptr || *bound == nullptr) return nullptr;
    const BoundFields& latest = **bound;
    return latest.handler == handler && latest.attempt == attempt ? &latest.fields : nullptr;
  }
};

/// The innermost level of the calling thread, or null.
inline thread_local constinit const AmbientFrame* ambient_frame = nullptr;

}  // namespace detail

/// Makes a context current on the calling thread until the scope is destroyed. Scopes nest; they are
/// destroyed in reverse order, on the thread that made them (they can be neither copied nor moved). Inside a
/// handler a scope of a context that is not derived from the current one begins a new chain of causes.
class ContextScope {
 public:
  explicit ContextScope(Context context);
  /// The current context with further fields. Throws Error(InvalidArgument).
  ContextScope(std::initializer_list<ContextField> further);
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope();

  [[nodiscard]] const Context& context() const noexcept { return context_; }

 private:
  const Context context_;
  detail::AmbientFrame frame_;
};

}  // namespace tidings
