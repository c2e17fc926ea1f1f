#include "otlp/protobuf_writer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace tidings::telemetry {
namespace {

using namespace std::string_literals;

template <class Write>
std::string written(Write write) {
  std::string out;
  ProtobufWriter writer(out);
  write(writer);
  return out;
}

// The examples of the documentation of the encoding.

TEST(ProtobufWriterTest, WritesVarintsOfAnyLength) {
  EXPECT_EQ(written([](auto& to) { to.unsigned_field(1, 150); }), "\x08\x96\x01");
  EXPECT_EQ(written([](auto& to) { to.unsigned_field(1, 127); }), "\x08\x7F");
  EXPECT_EQ(written([](auto& to) { to.varint_anyway(16, ~0ULL); }),
            "\x80\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
}

TEST(ProtobufWriterTest, WritesTextAndBytesWithTheirLength) {
  EXPECT_EQ(written([](auto& to) { to.string_field(2, "testing"); }), "\x12\x07testing");
  EXPECT_EQ(written([](auto& to) { to.bytes_field(2, "\0\xFF", 2); }), "\x12\x02\x00\xFF"s);
}

TEST(ProtobufWriterTest, WritesFixedNumbersWithTheLowestByteFirst) {
  EXPECT_EQ(written([](auto& to) { to.fixed64_field(1, 0x0102030405060708); }),
            "\x09\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(written([](auto& to) { to.fixed32_field(1, 0x01020304); }), "\x0D\x04\x03\x02\x01");
  EXPECT_EQ(written([](auto& to) { to.double_field(1, 1.0); }), "\x09\0\0\0\0\0\0\xF0\x3F"s);
}

TEST(ProtobufWriterTest, LeavesDefaultsOutUnlessTheyAreMembersOfAOneof) {
  EXPECT_EQ(written([](auto& to) {
              to.unsigned_field(1, 0);
              to.fixed32_field(1, 0);
              to.fixed64_field(1, 0);
              to.double_field(1, 0.0);
              to.string_field(1, "");
              to.bytes_field(1, "", 0);
              to.packed_doubles(1, nullptr, 0);
              to.packed_fixed64(1, nullptr, 0);
            }),
            "");
  EXPECT_EQ(written([](auto& to) {
              to.varint_anyway(1, 0);
              to.string_anyway(2, "");
            }),
            "\x08\x00\x12\x00"s);
  EXPECT_EQ(written([](auto& to) { to.double_field(1, -0.0); }), "\x09\0\0\0\0\0\0\0\x80"s);
}

TEST(ProtobufWriterTest, WritesPackedNumbers) {
  const std::array<std::uint64_t, 2> counts = {1, 2};
  EXPECT_EQ(written([&](auto& to) { to.packed_fixed64(6, counts.data(), 2); }),
            "\x32\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"s);
  const std::array<double, 1> bounds = {1.0};
  EXPECT_EQ(written([&](auto& to) { to.packed_doubles(7, bounds.data(), 1); }),
            "\x3A\x08\0\0\0\0\0\0\xF0\x3F"s);
}

TEST(ProtobufWriterTest, PutsTheLengthBeforeAMessageHoweverLongItGets) {
  EXPECT_EQ(written([](auto& to) {
              const auto outer = to.begin(3);
              to.unsigned_field(1, 150);
              to.end(outer);
            }),
            "\x1A\x03\x08\x96\x01");
  const std::string text(126, 'x');
  EXPECT_EQ(written([&](auto& to) {
              const auto outer = to.begin(1);
              const auto inner = to.begin(2);
              to.string_field(3, text);
              to.end(inner);
              to.end(outer);
            }),
            "\x0A\x83\x01\x12\x80\x01\x1A\x7E" + text);
  EXPECT_EQ(written([](auto& to) { to.end(to.begin(1)); }), "\x0A\x00"s);
}

TEST(ProtobufWriterTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(written([](auto& to) { to.string_field(1, "a\xC3"); }),
            "\x0A\x04"
            "a\xEF\xBF\xBD");
  EXPECT_EQ(written([](auto& to) { to.string_field(1, "\xED\xA0\x80"); }),
            "\x0A\x09\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tidings::telemetry
