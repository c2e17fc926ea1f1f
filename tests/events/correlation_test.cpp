#include <tidings/correlation.hpp>

#include <gtest/gtest.h>

#include <thread>

#include "thrown_error.hpp"

namespace tidings {
namespace {

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string current_text() {
  const auto id = current_correlation_id();
  return id ? id->to_string() : "none";
}

/// What the bus does around a handler.
class HandledEvent {
 public:
  explicit HandledEvent(const Metadata& metadata) {
    frame_.event = &metadata;
    frame_.previous = detail::ambient_frame;
    detail::ambient_frame = &frame_;
  }
  HandledEvent(const HandledEvent&) = delete;
  HandledEvent& operator=(const HandledEvent&) = delete;
  ~HandledEvent() { detail::ambient_frame = frame_.previous; }

 private:
  detail::AmbientFrame frame_;
};

Metadata handled_metadata() {
  Metadata metadata;
  metadata.event_id = *EventId::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  metadata.correlation_id = *CorrelationId::parse("request-1");
  metadata.traceparent = TraceParent::parse(kTrace);
  metadata.tracestate = "rojo=1";
  metadata.causation_depth = 4;
  return metadata;
}

TEST(Correlation, NothingIsAmbientOutsideAnyScope) {
  EXPECT_FALSE(current_correlation_id());
  EXPECT_FALSE(capture_correlation());
  EXPECT_TRUE(outbound_headers().empty());
}

TEST(CorrelationScope, ScopesNestAndEnd) {
  {
    const CorrelationScope outer("outer");
    EXPECT_EQ(current_text(), "outer");
    {
      const CorrelationScope inner(*CorrelationId::parse("inner"));
      EXPECT_EQ(current_text(), "inner");
      EXPECT_EQ(inner.correlation_id().to_string(), "inner");
    }
    EXPECT_EQ(current_text(), "outer");
  }
  EXPECT_EQ(current_text(), "none");
}

TEST(CorrelationScope, AFreshIdIsAUuidOfItsOwn) {
  const CorrelationScope first;
  const CorrelationScope second;
  EXPECT_TRUE(EventId::parse(first.correlation_id().to_string()));
  EXPECT_NE(first.correlation_id(), second.correlation_id());
}

TEST(CorrelationScope, RefusesABadIdAndLeavesNothingBehind) {
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("x\r\ny"), std::string(1 << 20, 'a')}) {
    expect_error(ErrorCode::InvalidArgument, "1 to 128 visible ASCII characters",
                 [&id] { return CorrelationScope(id).correlation_id(); });
  }
  EXPECT_FALSE(current_correlation_id());
}

TEST(CorrelationScope, IsOfItsThreadAlone) {
  const CorrelationScope scope("mine");
  std::thread([] { EXPECT_EQ(current_text(), "none"); }).join();
}

TEST(CorrelationScope, ACapturedContextIsRestoredOnAnotherThread) {
  const Metadata metadata = handled_metadata();
  std::optional<CorrelationContext> captured;
  {
    const HandledEvent handled(metadata);
    captured = capture_correlation();
  }
  std::thread([captured] {
    const CorrelationScope scope(*captured);
    EXPECT_EQ(capture_correlation(), captured);
  }).join();
}

TEST(Correlation, InsideAHandlerTheAmbientIsTheHandledEvents) {
  const CorrelationScope around("request-of-the-publisher");
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  EXPECT_EQ(current_text(), "request-1");
  const auto context = capture_correlation();
  ASSERT_TRUE(context);
  EXPECT_EQ(context->causation_id, metadata.event_id);
  EXPECT_EQ(context->traceparent, metadata.traceparent);
  EXPECT_EQ(context->tracestate, "rojo=1");
  EXPECT_EQ(context->causation_depth, 5U);
}

TEST(CorrelationScope, InsideAHandlerBeginsANewChain) {
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  const CorrelationScope scope("another");
  const auto context = capture_correlation();
  ASSERT_TRUE(context);
  EXPECT_EQ(context->correlation_id.to_string(), "another");
  EXPECT_FALSE(context->causation_id);
  EXPECT_FALSE(context->traceparent);
  EXPECT_EQ(context->causation_depth, 0U);
}

TEST(Correlation, AnEventWithoutCorrelationIdHasNoneToInherit) {
  const Metadata metadata;
  const HandledEvent handled(metadata);
  EXPECT_FALSE(current_correlation_id());
  EXPECT_TRUE(outbound_headers().empty());
}

std::string id_from(const Headers& headers) {
  return CorrelationScope::from_headers(headers).correlation_id().to_string();
}

TEST(InboundHeaders, TheFirstValidIdWins) {
  EXPECT_EQ(id_from({{"X-Request-ID", "r"}, {"x-correlation-id", "c"}, {"traceparent", kTrace}}), "c");
  EXPECT_EQ(id_from({{"X-Correlation-ID", "not valid"}, {"X-REQUEST-ID", "r"}}), "r");
  EXPECT_EQ(id_from({{"X-Correlation-ID", ""}, {"X-Correlation-ID", "second"}}), "second");
  EXPECT_EQ(id_from({{"Traceparent", kTrace}, {"X-Correlation-ID2", "c"}}),
            "0af7651916cd43dd8448eb211c80319c");
}

TEST(InboundHeaders, WithoutAValidIdAFreshOneIsUsed) {
  for (const Headers& headers :
       {Headers{}, Headers{{"X-Correlation-ID", "a\r\nSet-Cookie: b"}},
        Headers{{"X-Correlation-ID", std::string(1 << 20, 'a')}}, Headers{{"traceparent", "00-junk"}},
        Headers{{"X-Correlation-ID", std::string("a\0b", 3)}}, Headers{{"", ""}}}) {
    EXPECT_TRUE(EventId::parse(id_from(headers)));
  }
}

TEST(InboundHeaders, TheTraceIsKept) {
  const auto scope = CorrelationScope::from_headers({{"X-Correlation-ID", "c"},
                                                     {"traceparent", kTrace},
                                                     {"tracestate", "a=1"},
                                                     {"tracestate", ""},
                                                     {"Tracestate", "b=2"}});
  EXPECT_EQ(scope.context().traceparent, TraceParent::parse(kTrace));
  EXPECT_EQ(scope.context().tracestate, "a=1,b=2");
  EXPECT_EQ(capture_correlation(), scope.context());
}

TEST(InboundHeaders, AnInvalidTraceparentDropsItsTracestate) {
  for (const Headers& headers :
       {Headers{{"traceparent", "00-junk"}, {"tracestate", "a=1"}}, Headers{{"tracestate", "a=1"}},
        Headers{{"traceparent", kTrace}, {"traceparent", kTrace}, {"tracestate", "a=1"}}}) {
    const auto scope = CorrelationScope::from_headers(headers);
    EXPECT_FALSE(scope.context().traceparent);
    EXPECT_EQ(scope.context().tracestate, "");
  }
}

TEST(InboundHeaders, AnInvalidTracestateIsDroppedAlone) {
  const auto scope =
      CorrelationScope::from_headers({{"traceparent", kTrace}, {"tracestate", std::string(513, 'a')}});
  EXPECT_TRUE(scope.context().traceparent);
  EXPECT_EQ(scope.context().tracestate, "");
}

TEST(OutboundHeaders, CarryTheIdAndTheTrace) {
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  EXPECT_EQ(outbound_headers(),
            (Headers{{"X-Correlation-ID", "request-1"}, {"traceparent", kTrace}, {"tracestate", "rojo=1"}}));
}

TEST(OutboundHeaders, AreReadBackByTheNextService) {
  const auto first =
      CorrelationScope::from_headers({{"X-Request-ID", "r"}, {"traceparent", kTrace}, {"tracestate", "a=1"}});
  const Headers sent = outbound_headers();
  std::thread([&] { EXPECT_EQ(CorrelationScope::from_headers(sent).context(), first.context()); }).join();
}

TEST(OutboundHeaders, WithoutATraceCarryTheIdAlone) {
  const CorrelationScope scope("c");
  EXPECT_EQ(outbound_headers(), (Headers{{"X-Correlation-ID", "c"}}));
}

}  // namespace
}  // namespace tidings
