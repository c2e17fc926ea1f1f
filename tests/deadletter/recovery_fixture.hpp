#pragma once

#include "deadletter/journal_fixture.hpp"

#include <tidings/deadletter/recovery.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace tidings::deadletter {

/// A database with letters, large and small ones, and a journal of which something is owed; and ways to
/// damage it.
class RecoveryTest : public JournalTest {
 protected:
  static constexpr std::int64_t kLetters = 120;
  static constexpr std::int64_t kEvents = 90;
  static constexpr std::size_t kPageSize = 4096;

  /// One page of the sound database, as SQLite's own dbstat describes it.
  struct Page {
    std::size_t number = 0;
    std::string table;
    std::string kind;
    std::int64_t cells = 0;
  };

  void SetUp() override;

  [[nodiscard]] std::filesystem::path recovered() const { return folder_.path("recovered.db"); }
  [[nodiscard]] std::vector<Page> pages() const;
  /// Puts `bytes` where the page was.
  void replace_page(std::size_t number, const std::string& bytes) const;
  void put_back() const { write_file(database(), sound_); }
  /// Recovers what is there; the damaged files stay as they were, and the result is sound.
  [[nodiscard]] RecoveryReport recover_here() const;
  /// The first value that the result gives.
  [[nodiscard]] std::int64_t in_result(const std::string& sql) const;
  void expect_everything(const RecoveryReport& report) const;

  std::string sound_;
};

}  // namespace tidings::deadletter
