#include <tidings/context.hpp>

#include <gtest/gtest.h>

#include <thread>

#include "thrown_error.hpp"

namespace tidings {
namespace {

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string current_text() {
  const CorrelationId id = Context::current().correlation_id;
  return id.empty() ? "none" : id.to_string();
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
  metadata.fields = {{"tenant", "acme"}};
  metadata.causation_depth = 4;
  return metadata;
}

TEST(Context, IsEmptyOutsideAnyScope) {
  EXPECT_EQ(Context::current(), Context());
  EXPECT_TRUE(Context().outbound_headers().empty());
  EXPECT_TRUE(Context().response_headers().empty());
}

TEST(ContextScope, ScopesNestAndEnd) {
  {
    const ContextScope outer(Context::from_id("outer"));
    EXPECT_EQ(current_text(), "outer");
    {
      const ContextScope inner(Context{.correlation_id = *CorrelationId::parse("inner")});
      EXPECT_EQ(current_text(), "inner");
      EXPECT_EQ(inner.context(), Context::current());
    }
    EXPECT_EQ(current_text(), "outer");
  }
  EXPECT_EQ(current_text(), "none");
}

TEST(ContextScope, AFreshIdIsAUuidOfItsOwn) {
  const Context first = Context::fresh();
  EXPECT_TRUE(EventId::parse(first.correlation_id.to_string()));
  EXPECT_NE(first.correlation_id, Context::fresh().correlation_id);
}

TEST(ContextScope, RefusesABadId) {
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("x\r\ny"), std::string(1 << 20, 'a')}) {
    expect_error(ErrorCode::InvalidArgument, "1 to 128 visible ASCII characters",
                 [&id] { return Context::from_id(id); });
  }
}

TEST(ContextScope, IsOfItsThreadAlone) {
  const ContextScope scope(Context::from_id("mine"));
  std::thread([] { EXPECT_EQ(current_text(), "none"); }).join();
}

TEST(ContextScope, ACapturedContextIsRestoredOnAnotherThread) {
  const Metadata metadata = handled_metadata();
  Context captured;
  {
    const HandledEvent handled(metadata);
    captured = Context::current();
  }
  std::thread([captured] {
    const ContextScope scope(captured);
    EXPECT_EQ(Context::current(), captured);
  }).join();
}

TEST(Context, InsideAHandlerTheAmbientIsTheHandledEvents) {
  const ContextScope around(Context::from_id("request-of-the-publisher"));
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  EXPECT_EQ(current_text(), "request-1");
  const Context context = Context::current();
  EXPECT_EQ(context.causation_id, metadata.event_id);
  EXPECT_EQ(context.traceparent, metadata.traceparent);
  EXPECT_EQ(context.tracestate, "rojo=1");
  EXPECT_EQ(context.fields, metadata.fields);
  EXPECT_EQ(context.causation_depth, 5U);
}

TEST(ContextScope, InsideAHandlerBeginsANewChain) {
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  const ContextScope scope(Context::from_id("another"));
  EXPECT_EQ(Context::current(), Context::from_id("another"));
}

TEST(ContextScope, AddsFieldsToWhatIsCurrentAndTakesThemAway) {
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  const Context before = Context::current();
  {
    const ContextScope more({{"user_id", 42}, {"tenant", "other"}});
    EXPECT_EQ(Context::current().causation_id, metadata.event_id);
    EXPECT_EQ(Context::current().fields, (ContextFields{{"tenant", "other"}, {"user_id", 42}}));
  }
  EXPECT_EQ(Context::current(), before);
}

TEST(ContextScope, ThatCannotBeMadeLeavesTheContextAsItWas) {
  const ContextScope outer(Context::from_id("outer"));
  expect_error(ErrorCode::InvalidArgument, "\"User\" has a bad name", [] {
    const ContextScope refused({{"User", 1}});
    return 0;
  });
  EXPECT_EQ(Context::current(), outer.context());
}

TEST(Context, AnEventWithoutCorrelationIdHasNoneToInherit) {
  const Metadata metadata;
  const HandledEvent handled(metadata);
  EXPECT_TRUE(Context::current().correlation_id.empty());
  EXPECT_TRUE(Context::current().outbound_headers().empty());
}

std::string id_from(const Headers& headers) {
  return Context::from_headers(headers).correlation_id.to_string();
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
  const Context context = Context::from_headers({{"X-Correlation-ID", "c"},
                                                 {"traceparent", kTrace},
                                                 {"tracestate", "a=1"},
                                                 {"tracestate", ""},
                                                 {"Tracestate", "b=2"}});
  EXPECT_EQ(context.traceparent, TraceParent::parse(kTrace));
  EXPECT_EQ(context.tracestate, "a=1,b=2");
}

TEST(InboundHeaders, AnInvalidTraceparentDropsItsTracestate) {
  for (const Headers& headers :
       {Headers{{"traceparent", "00-junk"}, {"tracestate", "a=1"}}, Headers{{"tracestate", "a=1"}},
        Headers{{"traceparent", kTrace}, {"traceparent", kTrace}, {"tracestate", "a=1"}}}) {
    const Context context = Context::from_headers(headers);
    EXPECT_FALSE(context.traceparent);
    EXPECT_EQ(context.tracestate, "");
  }
}

TEST(InboundHeaders, AnInvalidTracestateIsDroppedAlone) {
  const Context context =
      Context::from_headers({{"traceparent", kTrace}, {"tracestate", std::string(513, 'a')}});
  EXPECT_TRUE(context.traceparent);
  EXPECT_EQ(context.tracestate, "");
}

TEST(InboundHeaders, OfOtherNamesThatServicesUseAreTaken) {
  for (const char* name : {"X-Trace-ID", "x_trace_id", "X_TRACE_ID", "Correlation-Id", "request-id"})
    EXPECT_EQ(id_from({{name, "a"}}), "a") << name;
  EXPECT_EQ(id_from({{"Request-Id", "last"}, {"X-Trace-ID", "first"}}), "first");
}

TEST(InboundHeaders, WhiteSpaceAroundAnIdAndATraceIsNoneOfThem) {
  const Context context =
      Context::from_headers({{"X-Request-ID", " \tr "}, {"traceparent", kTrace + std::string(" ")}});
  EXPECT_EQ(context.correlation_id.to_string(), "r");
  EXPECT_TRUE(context.traceparent);
  EXPECT_TRUE(EventId::parse(id_from({{"X-Request-ID", " \t"}})));
}

TEST(HeaderNames, OfAServicesOwnReplaceTheOthers) {
  const HeaderNames own{.inbound = {"Acme-Id"}, .outbound = {"Acme-Id"}, .traceparent = "acme-trace"};
  const Context context =
      Context::from_headers({{"X-Request-ID", "r"}, {"acme-id", "a"}, {"acme-trace", kTrace}}, own);
  EXPECT_EQ(context.correlation_id.to_string(), "a");
  EXPECT_EQ(context.outbound_headers(own), (Headers{{"Acme-Id", "a"}, {"acme-trace", kTrace}}));
  EXPECT_EQ(context.response_headers(own),
            (Headers{{"Acme-Id", "a"}, {"Access-Control-Expose-Headers", "Acme-Id"}}));
}

TEST(OutboundHeaders, CarryTheIdAndTheTrace) {
  const Metadata metadata = handled_metadata();
  const HandledEvent handled(metadata);
  EXPECT_EQ(Context::current().outbound_headers(), (Headers{{"X-Correlation-ID", "request-1"},
                                                            {"X-Request-ID", "request-1"},
                                                            {"traceparent", kTrace},
                                                            {"tracestate", "rojo=1"}}));
}

TEST(OutboundHeaders, AreReadBackByTheNextService) {
  const Context first =
      Context::from_headers({{"X-Request-ID", "r"}, {"traceparent", kTrace}, {"tracestate", "a=1"}});
  EXPECT_EQ(Context::from_headers(first.outbound_headers()), first);
}

TEST(ResponseHeaders, CarryTheIdAloneAndLetBrowsersReadIt) {
  const Context context = Context::from_headers({{"X-Request-ID", "r"}, {"traceparent", kTrace}});
  EXPECT_EQ(context.response_headers(),
            (Headers{{"X-Correlation-ID", "r"},
                     {"X-Request-ID", "r"},
                     {"Access-Control-Expose-Headers", "X-Correlation-ID, X-Request-ID"}}));
}

}  // namespace
}  // namespace tidings
