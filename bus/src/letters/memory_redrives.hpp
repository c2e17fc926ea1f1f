#pragma once

#include <tidings/detail/mutex.hpp>
#include <tidings/detail/redrive_pace.hpp>
#include <tidings/redrive.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::detail {

/// The letters of a MemoryLetterSink and their redrives. Claims end with their settlement only: a claimant
/// that dies takes the letters with it. Thread-safe.
class MemoryRedrives final : public Redrives {
 public:
  struct Added {
    std::int64_t id = 0;
    bool is_new = false;
  };
  /// Takes a letter unless there is one of its delivery.
  [[nodiscard]] Added add(const DeadLetter& letter);
  [[nodiscard]] std::vector<DeadLetter> letters(bool resolved_too) const;
  [[nodiscard]] std::vector<std::string> dead_keys(std::string_view service, std::string_view event_type,
                                                   std::string_view handler) const;

  [[nodiscard]] RedriveRequest mark(std::string_view service, const LetterFilter& filter,
                                    const RedriveOptions& options, Timestamp wall) override;
  [[nodiscard]] bool changed() override;
  [[nodiscard]] LetterClaim claim(const ClaimRequest& wanted) override;
  [[nodiscard]] bool begin(std::string_view claimant, std::int64_t id, Timestamp wall) override;
  std::vector<RedriveEnd> settle(std::string_view claimant, std::span<const RedriveResult> results) override;
  [[nodiscard]] RedriveUpkeep tend(std::string_view claimant, std::chrono::milliseconds lease,
                                   Timestamp wall) override;
  [[nodiscard]] std::vector<LetterKey> keys(std::string_view service, const ServedHandler& handler) override;

 private:
  struct Record {
    DeadLetter letter;
    bool marked = false;
    std::optional<std::int64_t> redrive_id;
    std::string claimed_by;  // empty: not claimed
    bool resolved = false;

    [[nodiscard]] bool coming() const {
      return marked || !claimed_by.empty() || letter.reason == Reason::Shutdown;
    }
  };
  struct Request {
    RedriveOptions options;
    std::int64_t succeeded = 0;
    std::int64_t failed = 0;
    std::int64_t claimed = 0;
    bool open = true;
    bool stopped = false;
  };

  [[nodiscard]] Record* find(std::string_view claimant, std::int64_t id) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] Request* request_of(const Record& record) TIDINGS_REQUIRES(mutex_);
  /// How many letters of the request may be claimed now.
  [[nodiscard]] std::size_t budget(std::int64_t id, const Request& request, const ClaimRequest& wanted)
      TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] bool must_wait(const Record& record, const ServedHandler& handler,
                               std::string_view claimant) const TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] std::vector<Record*> candidates(std::string_view service) TIDINGS_REQUIRES(mutex_);
  void take(Record& record, const ClaimRequest& wanted, LetterClaim& claim) TIDINGS_REQUIRES(mutex_);
  void settle_one(Record& record, const RedriveResult& result) TIDINGS_REQUIRES(mutex_);
  void withdraw_behind(const Record& failed) TIDINGS_REQUIRES(mutex_);
  [[nodiscard]] std::optional<RedriveEnd> end_of(std::int64_t id, Request& request) TIDINGS_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<Record> records_ TIDINGS_GUARDED_BY(mutex_);  // the id of records_[i] is i + 1
  std::map<std::int64_t, Request> requests_ TIDINGS_GUARDED_BY(mutex_);
  RedrivePace pace_ TIDINGS_GUARDED_BY(mutex_);
  bool changed_ TIDINGS_GUARDED_BY(mutex_) = false;
};

}  // namespace tidings::detail
