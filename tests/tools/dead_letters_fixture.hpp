#pragma once

#include "dead_letters/program.hpp"
#include "tools/database_fixture.hpp"

#include <tidings/deadletter/operations.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/minutes.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tidings::dead_letters {

using check_dead_letters::DatabaseTest;
using check_dead_letters::letter_that_failed;
using check_dead_letters::SqliteConnection;
using check_dead_letters::wall_now;

/// What one call of the program gave.
struct Answer {
  int status = -1;
  std::string out;
  std::string err;
  [[nodiscard]] OrderedJson json() const { return OrderedJson::parse(out); }
};

/// Calls of the program, in this process, on a database with letters 1 to 3 of two causes: 1 and 2 of
/// send_receipt, and 3, the newest, of charge_card.
class DeadLettersTest : public DatabaseTest {
 protected:
  void SetUp() override {
    auto third = letter_that_failed(std::chrono::minutes(1), "charge_card", "card declined");
    third.data.bytes = R"({"order_id":7,"password":"hunter2","customer":{"email":"eve@example.com"}})";
    third.metadata.correlation_id = CorrelationId::parse("request-8").value();
    database_ = make_database("orders.db", {letter_that_failed(std::chrono::hours(2)),
                                            letter_that_failed(std::chrono::hours(1)), third});
  }

  Answer call(std::vector<std::string> arguments) {
    std::istringstream in(input_);
    std::ostringstream out;
    std::ostringstream err;
    const Streams streams{in, out, err, false, out_terminal_, err_terminal_};
    const ExitStatus status = run(arguments, database_.c_str(), streams, wall_now());
    return {static_cast<int>(status), out.str(), err.str()};
  }

  /// As a service counts: two hours ago 7 events, one of which send_receipt gave up; and 3 just now, one of
  /// whose deliveries took long.
  void count_deliveries() const {
    const auto row = [](std::chrono::hours ago, std::string handler, DeliveryCounts counts) {
      return MinuteRow{std::chrono::floor<std::chrono::minutes>(wall_now() - ago), "orders.order_placed",
                       std::move(handler), counts};
    };
    std::vector<MinuteRow> rows = {
        row(std::chrono::hours(2), "", {.published = 7}),
        row(std::chrono::hours(2), "send_receipt", {.handled = 6, .failed = 4, .dead = 1}),
        row(std::chrono::hours(0), "", {.published = 3}),
        row(std::chrono::hours(0), "send_receipt", {.handled = 3, .slow = 1})};
    rows[1].counts.durations[duration_class(std::chrono::microseconds(150))] = 6;
    rows[3].counts.durations[duration_class(std::chrono::seconds(2))] = 3;
    const auto store = deadletter::Store::open(database_);
    store->minutes()->add("orders", rows);
    store->minutes()->flush();
  }

  [[nodiscard]] deadletter::Reader reader() const { return deadletter::Reader::open(database_); }
  [[nodiscard]] std::int64_t unresolved() const { return reader().count({.resolved = false}); }
  void execute(const std::string& sql) const { SqliteConnection(database_).execute(sql); }

  std::string database_;
  std::string input_;
  Terminal out_terminal_;
  Terminal err_terminal_;
};

}  // namespace tidings::dead_letters
