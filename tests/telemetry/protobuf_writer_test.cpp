#include "otlp/protobuf_writer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

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

/// The message with its tag and length.
std::string framed(char tag, const std::string& message) {
  std::string result(1, tag);
  std::size_t length = message.size();
  for (; length > 127; length /= 128) result += static_cast<char>(length % 128 + 128);
  result += static_cast<char>(length);
  return result + message;
}

// The examples of the documentation of the encoding, and what it says of limits.

TEST(ProtobufWriterTest, WritesVarintsOfAnyLength) {
  EXPECT_EQ(written([](auto& to) { to.number({1, ""}, 150); }), "\x08\x96\x01");
  EXPECT_EQ(written([](auto& to) { to.number({1, ""}, 127); }), "\x08\x7F");
  EXPECT_EQ(written([](auto& to) {
              to.integer_anyway({16, ""}, -1);
            }),
            "\x80\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
}

TEST(ProtobufWriterTest, WritesTextAndIdsWithTheirLength) {
  EXPECT_EQ(written([](auto& to) { to.text({2, ""}, "testing"); }), "\x12\x07testing");
  const std::array<std::uint8_t, 2> id = {0, 255};
  EXPECT_EQ(written([&](auto& to) { to.id({2, ""}, id); }), "\x12\x02\x00\xFF"s);
}

TEST(ProtobufWriterTest, WritesFixedNumbersWithTheLowestByteFirst) {
  EXPECT_EQ(written([](auto& to) {
              to.fixed64({1, ""}, 0x0102030405060708);
            }),
            "\x09\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(written([](auto& to) { to.fixed32({1, ""}, 0x01020304); }), "\x0D\x04\x03\x02\x01");
  EXPECT_EQ(written([](auto& to) {
              to.sfixed64_anyway({1, ""}, -2);
            }),
            "\x09\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  EXPECT_EQ(written([](auto& to) { to.real_anyway({1, ""}, 1.0); }), "\x09\0\0\0\0\0\0\xF0\x3F"s);
}

TEST(ProtobufWriterTest, LeavesDefaultsOutUnlessTheyAreMembersOfAOneof) {
  const std::array<std::uint8_t, 8> no_id = {};
  EXPECT_EQ(written([&](auto& to) {
              to.number({1, ""}, 0);
              to.fixed32({1, ""}, 0);
              to.fixed64({1, ""}, 0);
              to.boolean({1, ""}, false);
              to.text({1, ""}, "");
              to.id({1, ""}, no_id);
              to.reals({1, ""}, {});
              to.fixed64s({1, ""}, {});
              to.messages({1, ""}, std::array<int, 0>(), [](auto&, int) {});
            }),
            "");
  EXPECT_EQ(written([](auto& to) {
              to.boolean_anyway({1, ""}, false);
              to.text_anyway({2, ""}, "");
              to.message({3, ""}, [](auto&) {});
            }),
            "\x08\x00\x12\x00\x1A\x00"s);
}

TEST(ProtobufWriterTest, WritesPackedNumbers) {
  const std::array<std::uint64_t, 2> counts = {1, 2};
  EXPECT_EQ(written([&](auto& to) {
              to.fixed64s({6, ""}, counts);
            }),
            "\x32\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"s);
  const std::array<double, 1> bounds = {1.0};
  EXPECT_EQ(written([&](auto& to) { to.reals({7, ""}, bounds); }), "\x3A\x08\0\0\0\0\0\0\xF0\x3F"s);
}

TEST(ProtobufWriterTest, PutsTheLengthBeforeAMessageHoweverLongItGets) {
  EXPECT_EQ(written([](auto& to) {
              to.message({3, ""}, [](auto& inner) { inner.number({1, ""}, 150); });
            }),
            "\x1A\x03\x08\x96\x01");
  for (const std::size_t size : {120U, 125U, 126U, 16'375U, 16'381U, 16'382U}) {
    const std::string text(size, 'x');
    const std::string written_text = written([&](auto& to) { to.text({3, ""}, text); });
    EXPECT_EQ(written([&](auto& to) {
                to.message({1, ""}, [&](auto& outer) {
                  outer.message({2, ""}, [&](auto& inner) { inner.text({3, ""}, text); });
                });
              }),
              framed('\x0A', framed('\x12', written_text)));
  }
}

TEST(ProtobufWriterTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(written([](auto& to) {
              to.text({1, ""}, "a\xC3");
            }),
            "\x0A\x04"
            "a\xEF\xBF\xBD");
  EXPECT_EQ(written([](auto& to) {
              to.text({1, ""}, "\xED\xA0\x80");
            }),
            "\x0A\x09\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tidings::telemetry
