#pragma once

#include "file/owner_file.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/prepared.hpp"

#include <tidings/journal.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::deadletter {

/// Reads the journal's tables through a connection of its own, which no commit waits for. Not thread-safe.
/// Members throw SQLite::Exception.
class JournalReader {
 public:
  JournalReader(const std::filesystem::path& path, const std::string& vfs,
                std::chrono::milliseconds busy_timeout);

  /// The number of the journal's owner: see OwnerNumber.
  [[nodiscard]] std::int64_t owner_number();
  [[nodiscard]] std::vector<OwedDelivery> owed(const OwedQuery& query, std::string_view service);
  [[nodiscard]] std::vector<OwedTotal> owed_totals(std::size_t at_most);
  /// next_id and events of what acquire finds.
  [[nodiscard]] JournalStart extent();
  /// The deliveries that are still owed among those in the slots. Slots of more than one thread:
  /// none was alone.
  [[nodiscard]] std::vector<CrashSuspect> suspects(std::span<const SlotContent> slots);

  [[nodiscard]] Connection& connection() noexcept { return connection_; }

 private:
  /// Whether the event of the scan's row is owed to the handler; then it is in `owed`.
  [[nodiscard]] bool read_owed(std::string_view service, std::string_view handler, OwedDelivery& owed);
  [[nodiscard]] const std::vector<std::string>& handlers_of_scan();
  void add_deliveries(OwedDelivery& owed);
  /// Whether the delivery of the scan's row has a letter.
  [[nodiscard]] bool has_letter(std::string_view service, std::string_view handler);
  [[nodiscard]] std::vector<std::string> handlers_of(std::int64_t journal_id);
  [[nodiscard]] bool is_done(std::int64_t journal_id, const std::string& handler);
  void wait_from_now();

  const std::chrono::milliseconds busy_timeout_;
  Connection connection_;
  Prepared scan_;
  Prepared deliveries_;
  Prepared letter_;
  Prepared owner_number_;
  std::optional<bool> was_spilled_;  // whether a letter ever came without its delivery's end; asked once
  std::string handlers_text_;        // what was parsed last, and what it says
  std::vector<std::string> handlers_;
};

}  // namespace tidings::deadletter
