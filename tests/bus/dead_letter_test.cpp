#include <tidings/dead_letter.hpp>
#include <tidings/event_context.hpp>

#include <gtest/gtest.h>

namespace tidings {
namespace {

TEST(Reason, HasStableNames) {
  EXPECT_EQ(to_string(Reason::Exhausted), "exhausted");
  EXPECT_EQ(to_string(Reason::Permanent), "permanent");
  EXPECT_EQ(to_string(Reason::CausationLoop), "causation_loop");
  EXPECT_EQ(to_string(Reason::Unhandled), "unhandled");
  EXPECT_EQ(to_string(Reason::Shutdown), "shutdown");
  EXPECT_EQ(to_string(Reason::Parked), "parked");
  EXPECT_EQ(to_string(Reason::Undecodable), "undecodable");
  EXPECT_EQ(to_string(Reason::Crashed), "crashed");
}

TEST(Reason, IsReadFromItsName) {
  for (const Reason reason : {Reason::Exhausted, Reason::Permanent, Reason::CausationLoop, Reason::Unhandled,
                              Reason::Shutdown, Reason::Parked, Reason::Undecodable, Reason::Crashed}) {
    EXPECT_EQ(parse_reason(to_string(reason)), reason);
  }
  EXPECT_FALSE(parse_reason(""));
  EXPECT_FALSE(parse_reason("Exhausted"));
  EXPECT_FALSE(parse_reason("crash"));
}

TEST(Attempt, EqualsItsEqual) {
  const Attempt attempt{Timestamp{}, std::chrono::microseconds(1), "a", "b"};
  Attempt other = attempt;
  EXPECT_EQ(attempt, other);
  other.error_message = "c";
  EXPECT_NE(attempt, other);
}

}  // namespace
}  // namespace tidings
