#include "contracts/journal_contract.hpp"
#include "contracts/memory_journal.hpp"

namespace tidings::contract {

INSTANTIATE_TEST_SUITE_P(MemoryJournal, JournalContract, testing::Values(JournalMaker([] {
                           const auto journal = std::make_shared<test::MemoryJournal>();
                           return JournalUnderTest{journal, [journal] { return journal->letters(); }};
                         })));

}  // namespace tidings::contract
