#include "deadletter/store_fixture.hpp"

#include "redrive/letter_claims.hpp"

#include <tidings/redrive.hpp>

#include <sqlite3.h>

#include <functional>

namespace tidings::deadletter {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A bus that looks for letters, and does something else before it takes the write lock to claim them.
class LateClaimTest : public StoreTest {
 protected:
  LateClaimTest() {
    sqlite3_trace_v2(connection_.database().getHandle(), SQLITE_TRACE_STMT, &LateClaimTest::on_statement,
                     this);
  }
  ~LateClaimTest() override { sqlite3_trace_v2(connection_.database().getHandle(), 0, nullptr, nullptr); }
  LateClaimTest(const LateClaimTest&) = delete;
  LateClaimTest& operator=(const LateClaimTest&) = delete;

  [[nodiscard]] ClaimRequest wanted(std::string_view claimant) const {
    return {.service = "orders",
            .claimant = claimant,
            .handlers = handlers_,
            .most_letters = 500,
            .most_bytes = 1U << 24U,
            .lease = std::chrono::seconds(30),
            .now = {},
            .wall = failed_at(10'000),
            .waiting = {}};
  }
  void redrive_all_elsewhere() {
    auto& redrives = *store_->redrives();
    std::vector<RedriveResult> results;
    for (const ClaimedLetter& letter : redrives.claim(wanted("other")).letters) {
      results.push_back({.id = letter.id,
                         .end = RedriveResult::End::Reprocessed,
                         .at = failed_at(10'000),
                         .letter = letter.letter});
    }
    static_cast<void>(redrives.settle("other", results));
  }

  std::shared_ptr<Store> store_ = open();
  std::function<void()> before_claim_;
  RedriveConnection connection_{
      database(), {"", std::chrono::seconds(5), 0, std::make_shared<WriteTurn>()}, ClaimJudge(database())};
  RedriveRequests requests_{connection_};
  LetterClaims claims_{connection_, requests_};

 private:
  static int on_statement(unsigned /*event*/, void* test, void* statement, void* /*text*/) {
    auto& before_claim = static_cast<LateClaimTest*>(test)->before_claim_;
    const std::string text = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
    if (text == "BEGIN IMMEDIATE" && before_claim) std::exchange(before_claim, nullptr)();
    return 0;
  }

  std::vector<ServedHandler> handlers_ = {{"orders.order_placed", "send_receipt"}};
};

TEST_F(LateClaimTest, OpensNoRequestThatAnotherBusHasFinishedMeanwhile) {
  static_cast<void>(store(*store_, letters(1, 3)));
  static_cast<void>(store_->redrives()->mark("orders", {}, {}, failed_at(5000)));
  before_claim_ = [this] { redrive_all_elsewhere(); };
  const LetterClaim claim = claims_.claim(wanted("late"), "late", boot_time_now() + 30'000'000);
  EXPECT_THAT(claim.letters, IsEmpty());
  EXPECT_FALSE(before_claim_);
  EXPECT_EQ(query("SELECT state || succeeded FROM tidings_redrives"), "finished3");
}

TEST_F(LateClaimTest, KeepsToTheCanaryOfARequestThatHasMarkedLettersMeanwhile) {
  static_cast<void>(store(*store_, letters(1, 3)));
  connection_.database().exec("UPDATE dead_letters SET reason = 'shutdown'");  // nobody has to ask for these
  before_claim_ = [this] {
    static_cast<void>(store_->redrives()->mark("orders", {}, {.canary = 1}, failed_at(5000)));
  };
  const LetterClaim claim = claims_.claim(wanted("late"), "late", boot_time_now() + 30'000'000);
  EXPECT_THAT(claim.letters, SizeIs(1));
  EXPECT_EQ(query("SELECT count(*) FROM dead_letters WHERE redrive_id = 1"), "3");
}

}  // namespace
}  // namespace tidings::deadletter
