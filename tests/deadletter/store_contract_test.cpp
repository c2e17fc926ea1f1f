#include "contracts/journal_contract.hpp"
#include "contracts/letter_sink_contract.hpp"
#include "contracts/redrives_contract.hpp"
#include "deadletter/temporary_folder.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <algorithm>
#include <memory>

namespace tidings::contract {
namespace {

std::vector<DeadLetter> letters_by_id(const std::filesystem::path& database) {
  auto letters = deadletter::Reader::open(database).list({}, 10'000).letters;
  std::sort(letters.begin(), letters.end(),
            [](const auto& left, const auto& right) { return left.id < right.id; });
  std::vector<DeadLetter> result;
  for (auto& stored : letters) result.push_back(std::move(stored.letter));
  return result;
}

SinkUnderTest make_store() {
  const auto folder = std::make_shared<deadletter::TemporaryFolder>();
  const auto database = folder->path("letters.db");
  return {deadletter::Store::open(database), [folder, database] { return letters_by_id(database); }};
}

JournalUnderTest make_journal() {
  const SinkUnderTest store = make_store();
  return {store.sink, store.letters};
}

INSTANTIATE_TEST_SUITE_P(Store, JournalContract, testing::Values(JournalMaker(make_journal)));
INSTANTIATE_TEST_SUITE_P(Store, LetterSinkContract, testing::Values(LetterSinkMaker(make_store)));
INSTANTIATE_TEST_SUITE_P(Store, RedrivesContract, testing::Values(LetterSinkMaker(make_store)));

}  // namespace
}  // namespace tidings::contract
