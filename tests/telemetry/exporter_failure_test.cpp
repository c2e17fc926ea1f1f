#include "logging/variable.hpp"
#include "telemetry/exporter_fixture.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>
#include <utility>
#include <vector>

// Receivers that are slow, away, or of another opinion.

namespace tidings::telemetry {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ExporterFailureTest : public ExporterTest {
 protected:
  /// Which send at once so many spans as are added by add_batch().
  [[nodiscard]] ExporterOptions options() {
    ExporterOptions options = ExporterTest::options();
    options.span_batches.batch = kBatch;
    return options;
  }
  void add_batch(Exporter& exporter) {
    for (std::size_t i = 0; i < kBatch; ++i) exporter.add(span("s"));
  }

  static constexpr std::size_t kBatch = 3;
};

TEST_F(ExporterFailureTest, AReceiverThatNamesATimeIsNotAskedEarlier) {
  receiver_.answer_next({{503, {{"Retry-After", "2"}}, ""}});
  Exporter exporter(options());
  add_batch(exporter);
  pass(1'999ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  pass(1ms);
  ASSERT_THAT(receiver_.requests(), SizeIs(2));
  EXPECT_EQ(receiver_.requests()[0].body, receiver_.requests()[1].body);
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), kBatch);
  EXPECT_EQ(exporter.dropped(), 0U);
}

TEST_F(ExporterFailureTest, AProxyThatCannotBeUsedIsToldWithoutItsPassword) {
  const logging::Variable proxy("http_proxy", "user:hunter2pw@proxy:99999");
  ExporterOptions hasty = options();
  hasty.span_batches.give_up_after = 1ms;
  hasty.traces.url = "http://receiver.invalid:4318/v1/traces";
  Exporter exporter(hasty);
  exporter.add(span("s"));
  send(exporter);
  EXPECT_EQ(exporter.dropped(), 1U);
  const auto problem = capture_.only("telemetry_lost").at("problem").get<std::string>();
  EXPECT_THAT(problem, HasSubstr("proxy"));
  EXPECT_THAT(problem, ::testing::Not(HasSubstr("hunter2pw")));
}

TEST_F(ExporterFailureTest, TimesThatNeverEndDoNotOverflow) {
  ExporterOptions patient = options();
  patient.metrics.url = receiver_.url("/v1/metrics");
  std::atomic<int> readings{0};
  patient.collect_metrics = [&] {
    ++readings;
    return std::vector<MetricData>{};
  };
  patient.metrics_interval = std::chrono::milliseconds::max();
  patient.span_batches.delay = std::chrono::milliseconds::max();
  patient.span_batches.give_up_after = std::chrono::milliseconds::max();
  Exporter exporter(patient);
  exporter.add(span("s"));
  pass(24h);
  EXPECT_EQ(readings.load(), 0);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
}

TEST_F(ExporterFailureTest, ATimeMayBeADate) {
  receiver_.answer_next({{429, {{"Retry-After", "Thu, 01 Jan 2026 00:00:07 GMT"}}, ""}});
  Exporter exporter(options());
  add_batch(exporter);
  pass(6'999ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(2));
}

TEST_F(ExporterFailureTest, AReceiverThatIsBusyIsLeftAloneByLaterBatchesToo) {
  ExporterOptions impatient = options();
  impatient.span_batches.give_up_after = 1s;
  receiver_.answer_next({{503, {{"Retry-After", "60"}}, ""}});
  Exporter exporter(std::move(impatient));
  add_batch(exporter);  // which is given up at once
  await_idle();
  EXPECT_EQ(exporter.dropped(), kBatch);
  add_batch(exporter);
  pass(59'999ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  pass(1ms);
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), kBatch);
}

class StatusTest : public ExporterFailureTest, public ::testing::WithParamInterface<int> {};
class RetriedStatus : public StatusTest {};
class FinalStatus : public StatusTest {};

TEST_P(RetriedStatus, IsTriedAgainAfterAWaitThatGrows) {
  receiver_.answer_next({{GetParam(), {}, ""}, {GetParam(), {}, ""}});
  Exporter exporter(options());
  add_batch(exporter);
  pass(499ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  pass(1ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(2));
  pass(999ms);
  EXPECT_THAT(receiver_.requests(), SizeIs(2));
  pass(1ms);
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), kBatch);
}

INSTANTIATE_TEST_SUITE_P(Exporter, RetriedStatus, ::testing::Values(429, 502, 503, 504));

TEST_P(FinalStatus, IsNeverTriedAgain) {
  receiver_.answer_next(
      {{GetParam(), {{"Location", receiver_.url("/elsewhere")}, {"Retry-After", "1"}}, "why"}});
  Exporter exporter(options());
  add_batch(exporter);
  pass(10min);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(exporter.dropped(ExportSignal::Traces), kBatch);
  const Json record = capture_.only("telemetry_lost");
  EXPECT_EQ(record.at("signal"), "traces");
  EXPECT_EQ(record.at("lost"), 3);
  EXPECT_EQ(record.at("lost_in_all"), 3);
  EXPECT_EQ(record.at("problem"), "HTTP " + std::to_string(GetParam()) + ": why");
}

INSTANTIATE_TEST_SUITE_P(Exporter, FinalStatus,
                         ::testing::Values(301, 307, 400, 401, 403, 404, 413, 415, 500, 501));

TEST_F(ExporterFailureTest, WhatAReceiverDidNotTakeOfARequestIsLostAndNotSentAgain) {
  receiver_.answer_next({{200, {}, "\x0A\x0B\x08\x02\x12\x07too old"}});
  Exporter exporter(options());
  add_batch(exporter);
  pass(10min);
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 1U);
  EXPECT_EQ(exporter.dropped(), 2U);
  EXPECT_THAT(capture_.only("telemetry_lost").at("problem").get<std::string>(), HasSubstr("too old"));
}

TEST_F(ExporterFailureTest, AReceiverMayWarnThoughItTookEverything) {
  const ReceiverResponse warning{200, {}, "\x0A\x07\x12\x05hello"};
  receiver_.answer_next({warning, warning, warning});
  Exporter exporter(options());
  add_batch(exporter);
  pass(59s);
  add_batch(exporter);
  await_idle();
  EXPECT_EQ(exporter.dropped(), 0U);
  EXPECT_EQ(capture_.only("telemetry_receiver_warned").at("problem"), "hello");  // once a minute
  pass(1s);
  add_batch(exporter);
  await_idle();
  EXPECT_THAT(capture_.records("telemetry_receiver_warned"), SizeIs(2));
}

TEST_F(ExporterFailureTest, ABatchIsGivenUpWhenItsTimeIsOver) {
  ExporterOptions impatient = options();
  impatient.span_batches.give_up_after = 3s;
  receiver_.answer_next({{503, {}, ""}, {503, {}, ""}, {503, {}, "still busy"}});
  Exporter exporter(std::move(impatient));
  add_batch(exporter);
  pass(500ms);
  pass(1s);  // the next would be 2 s later, which is too late
  EXPECT_THAT(receiver_.requests(), SizeIs(3));
  EXPECT_EQ(exporter.dropped(), kBatch);
  EXPECT_EQ(capture_.only("telemetry_lost").at("problem"), "HTTP 503: still busy");
}

TEST_F(ExporterFailureTest, AReceiverThatHangsDoesNotHoldStop) {
  ExporterOptions patient = options();
  patient.traces.timeout = 10min;
  Exporter exporter(std::move(patient));
  receiver_.hold();
  add_batch(exporter);
  auto stopped = std::async(std::launch::async, [&] { return exporter.stop(1s); });
  receiver_.await_requests(1);
  clock_->await_waiter();  // stop() itself
  clock_->advance(999ms);
  clock_->await_waiter();
  EXPECT_EQ(stopped.wait_for(0s), std::future_status::timeout);
  clock_->advance(1ms);
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
  receiver_.release();
  EXPECT_FALSE(stopped.get());
  EXPECT_EQ(exporter.dropped(), kBatch);
  EXPECT_THAT(capture_.only("telemetry_lost").at("problem").get<std::string>(), HasSubstr("stop"));
}

TEST_F(ExporterFailureTest, StopDoesNotWaitForATryThatWouldComeTooLate) {
  receiver_.answer_next({{503, {{"Retry-After", "20"}}, ""}});
  Exporter exporter(options());
  add_batch(exporter);
  EXPECT_FALSE(exporter.stop(10s));  // the clock stands still
  EXPECT_EQ(exporter.dropped(), kBatch);
}

TEST_F(ExporterFailureTest, AnAnswerThatDoesNotComeIsGivenUpAfterTheTimeout) {
  ExporterOptions hasty = options();
  hasty.traces.timeout = 20ms;
  hasty.span_batches.give_up_after = 1ms;
  receiver_.hold();
  Exporter exporter(std::move(hasty));
  add_batch(exporter);
  await_idle();
  EXPECT_EQ(exporter.dropped(), kBatch);
}

TEST_F(ExporterFailureTest, WithoutAReceiverTheQueueIsBoundedAndWithOneItRecovers) {
  const int port = unused_port();
  ExporterOptions small = options();
  small.traces.url = "http://127.0.0.1:" + std::to_string(port) + "/v1/traces";
  small.span_batches.queue = 2 * kBatch;
  Exporter exporter(std::move(small));
  add_batch(exporter);  // on their way, in vain
  await_idle();
  for (int i = 0; i < 4; ++i) add_batch(exporter);
  EXPECT_EQ(exporter.dropped(), 2 * kBatch);
  Receiver back(port);
  pass(5s);
  EXPECT_EQ(exporter.sent(ExportSignal::Traces), 3 * kBatch);
  EXPECT_EQ(exporter.dropped(), 2 * kBatch);
  const Json record = capture_.only("telemetry_lost");
  EXPECT_EQ(record.at("lost"), 6);
  EXPECT_THAT(record.at("problem").get<std::string>(), StartsWith("the queue is full"));
}

TEST_F(ExporterFailureTest, LossesAreToldOnceAMinute) {
  receiver_.answer_next({{400, {}, ""}, {400, {}, ""}, {400, {}, ""}});
  Exporter exporter(options());
  for (int i = 0; i < 3; ++i) {
    add_batch(exporter);
    await_idle();
  }
  pass(59'999ms);
  EXPECT_EQ(capture_.only("telemetry_lost").at("lost"), 3);
  pass(1ms);
  ASSERT_THAT(capture_.records("telemetry_lost"), SizeIs(2));
  EXPECT_EQ(capture_.records("telemetry_lost")[1].at("lost"), 6);
  EXPECT_EQ(capture_.records("telemetry_lost")[1].at("lost_in_all"), 9);
}

TEST_F(ExporterFailureTest, SecretsOfHeadersAndUrlsAreInNoRecord) {
  ExporterOptions secret = options();
  secret.traces.url = "http://user:s3cr3t@127.0.0.1:" + std::to_string(unused_port()) + "/?key=s3cr3t";
  secret.traces.headers = {{"x-api-key", "s3cr3t"}};
  secret.span_batches.give_up_after = 1ms;
  Exporter exporter(std::move(secret));
  add_batch(exporter);
  await_idle();
  ASSERT_THAT(capture_.lines(), SizeIs(1));
  EXPECT_EQ(capture_.lines()[0].find("s3cr3t"), std::string::npos) << capture_.lines()[0];
}

TEST_F(ExporterFailureTest, AnEndlessAnswerIsNotKept) {
  receiver_.answer_next({{400, {}, std::string(4'000'000, 'x')}});
  Exporter exporter(options());
  add_batch(exporter);
  await_idle();
  EXPECT_LT(capture_.only("telemetry_lost").at("problem").get<std::string>().size(), 600U);
}

TEST_F(ExporterFailureTest, AForkedChildSendsNothingAndItsParentGoesOn) {
  auto exporter = std::make_unique<Exporter>(options());
  exporter->add(span("s"));
  await_idle();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    for (int i = 0; i < 100; ++i) add_batch(*exporter);
    const bool at_once = exporter->flush(kLong) && exporter->stop(kLong);
    const bool nothing = exporter->dropped() == 0 && exporter->sent(ExportSignal::Traces) == 0;
    exporter.reset();
    ::_exit(at_once && nothing ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
  send(*exporter);
  EXPECT_EQ(exporter->sent(ExportSignal::Traces), 1U);
}

}  // namespace
}  // namespace tidings::telemetry
