#include "contracts/letter_sink_contract.hpp"
#include "contracts/redrives_contract.hpp"

#include <tidings/memory_letter_sink.hpp>

namespace tidings::contract {
namespace {

SinkUnderTest make_memory_sink() {
  auto sink = std::make_shared<MemoryLetterSink>();
  return {sink, [sink] { return sink->letters(); }};
}

INSTANTIATE_TEST_SUITE_P(MemoryLetterSink, LetterSinkContract,
                         testing::Values(LetterSinkMaker(make_memory_sink)));
INSTANTIATE_TEST_SUITE_P(MemoryLetterSink, RedrivesContract,
                         testing::Values(LetterSinkMaker(make_memory_sink)));

TEST(MemoryLetterSink, NumbersLettersByTheirPlace) {
  MemoryLetterSink sink;
  const std::vector letters = {letter(1), letter(2), letter(1)};
  const auto outcomes = sink.store(letters, WhenBusy::Spill);
  EXPECT_EQ(outcomes.at(0).id, 1);
  EXPECT_EQ(outcomes.at(1).id, 2);
  EXPECT_EQ(outcomes.at(2).id, 1);
}

TEST(MemoryLetterSink, KeepsALetterWholeAfterThePublisherIsGone) {
  MemoryLetterSink sink;
  {
    std::string source = "a source that is longer than any small string";
    DeadLetter borrowed = letter(1);
    borrowed.metadata.source = Text::borrow(source);
    static_cast<void>(sink.store(std::vector{borrowed}, WhenBusy::Throw));
    source.assign(source.size(), '!');
  }
  EXPECT_EQ(sink.letters().at(0).metadata.source.view(), "a source that is longer than any small string");
}

}  // namespace
}  // namespace tidings::contract
