#pragma once

#include "journal/journal_appender.hpp"

#include <tidings/journal.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tidings::deadletter {

class StoreJournal;

/// A transaction that the application has open on a connection of its own. Leaves the connection as it was.
class UserTransaction final : public JournalTransaction {
 public:
  /// Throws Error(InvalidArgument).
  explicit UserTransaction(sqlite3* connection);

  void lock(Journal& journal, Durability durability) override;
  [[nodiscard]] std::vector<std::optional<EventId>> append(std::span<const JournalAppend> events) override;
  void store(const DeadLetter& letter) override;

 private:
  void require_database(const StoreJournal& store) const;
  void require_sync() const;
  void take_lock();
  template <class Work>
  auto in_database(Work work) const;

  sqlite3* const connection_;
  std::string service_;
  std::optional<JournalAppender> appender_;
};

}  // namespace tidings::deadletter
