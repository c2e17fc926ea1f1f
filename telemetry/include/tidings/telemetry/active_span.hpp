#pragma once

#include <tidings/telemetry/attribute.hpp>
#include <tidings/telemetry/span.hpp>
#include <tidings/telemetry/tracer.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <string_view>

namespace tidings {

namespace telemetry {

/// Makes the spans of `Span`; null: none are made, which is how a program begins. A program has one tracer
/// for them, whatever buses it has. Thread-safe; spans that are open end as they began. Throws
/// std::bad_alloc.
void set_default_tracer(std::shared_ptr<Tracer> tracer);

}  // namespace telemetry

namespace detail {
inline std::atomic<bool> makes_spans{false};
}  // namespace detail

/// A step of the application's own as a span, from here to the end of the block:
///
///     Span span("charge_card");
///     span.set("amount", 12);
///     try {
///       gateway.charge(order);
///     } catch (const std::exception& error) {
///       span.fail(error);
///       throw;
///     }
///
/// It is a child of the span that is current on this thread: of another Span, of the attempt that runs, or of
/// the trace that came in. It is current itself until it ends: what is published, called and logged has it as
/// its parent. Spans nest, and end in reverse order, on the thread that they began on. Without a tracer it
/// does nothing, which costs a few nanoseconds; nor does it in a forked child that has set no tracer of its
/// own. Never throws: without memory there is no span.
class Span {
 public:
  explicit Span(std::string_view name, telemetry::SpanKind kind = telemetry::SpanKind::Internal) noexcept {
    if (detail::makes_spans.load(std::memory_order_relaxed)) [[unlikely]]
      open(name, kind);
  }
  ~Span() {
    if (open_ != nullptr) [[unlikely]]
      close();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  /// Adds an attribute. What the redactor denies by its name is left out, and texts are masked as in logs.
  void set(std::string_view name, telemetry::AttributeValue value) noexcept;
  /// The step has failed: the status becomes an error, and the exception is an event of the span.
  void fail(const std::exception& error) noexcept;
  /// The same without an exception. `problem` is for people.
  void fail(std::string_view problem) noexcept;

  /// Whether it will be exported, or kept for a while: what only the span needs can be left out if not.
  [[nodiscard]] bool is_recorded() const noexcept;

 private:
  struct Open;

  void open(std::string_view name, telemetry::SpanKind kind) noexcept;
  void close() noexcept;

  Open* open_ = nullptr;  // owned; not smart, so that a span that does nothing costs nothing
};

}  // namespace tidings
