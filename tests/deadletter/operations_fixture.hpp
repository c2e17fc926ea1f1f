#pragma once

#include "deadletter/store_fixture.hpp"
#include "file/boot_clock.hpp"

#include <tidings/deadletter/operations.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace tidings::deadletter {

/// What an operator does to a database with letters 1 to 3.
class OperationsTest : public StoreTest {
 protected:
  void SetUp() override { store_letters(1, 3); }

  void store_letters(std::uint64_t first, std::uint64_t last) const {
    static_cast<void>(store(*open({.spill_reserve = 0}), letters(first, last)));
  }
  [[nodiscard]] Operations operations(
      std::chrono::milliseconds busy_timeout = std::chrono::seconds(10)) const {
    return Operations::open(database(), {"ann", "desk"}, {.busy_timeout = busy_timeout});
  }
  [[nodiscard]] Reader reader() const { return Reader::open(database()); }
  [[nodiscard]] std::string audit() const {
    return query(
        "SELECT group_concat(verb || ' ' || letters || ' ' || filter || ' ' || coalesce(note, ''), ';')"
        " FROM (SELECT * FROM tidings_audit ORDER BY id)");
  }
  [[nodiscard]] std::string unresolved() const {
    return query("SELECT group_concat(id) FROM dead_letters WHERE reprocessed_at IS NULL");
  }
  /// As a bus does while the handler runs.
  void run(int id, const std::string& boot, std::int64_t claimed_until) const {
    execute("UPDATE dead_letters SET redrive_requested_at = 1, redrive_started_at = 2, claimed_by = '" +
            boot + "/42/1', claimed_until = " + std::to_string(claimed_until) +
            " WHERE id = " + std::to_string(id));
  }
  void run(int id) const { run(id, boot_id(), boot_time_now() + 60'000'000); }
  [[nodiscard]] std::string all_bytes() const {
    std::string bytes;
    for (const auto& entry : std::filesystem::directory_iterator(database().parent_path())) {
      std::ifstream file(entry.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes;
  }
};

}  // namespace tidings::deadletter
