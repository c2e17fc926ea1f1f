#include "redriving/redrive_log.hpp"

namespace tidings::detail {

namespace {

using logging::Level;

}  // namespace

void RedriveLog::claimed(std::size_t letters) noexcept {
  constexpr std::string_view kRecord = "redrive_claimed";
  if (!records_.admit(kRecord, "", "")) return;
  quietly([&] { records_.write_nobodys(Level::Info, kRecord, {{"letters", letters}}); });
}

/// Once a request.
void RedriveLog::ended(const RedriveEnd& end) const noexcept {
  quietly([&] {
    records_.write_nobodys(end.stopped ? Level::Warning : Level::Info,
                           end.stopped ? "redrive_stopped" : "redrive_finished",
                           {{"redrive_id", end.id}, {"succeeded", end.succeeded}, {"failed", end.failed}});
  });
}

void RedriveLog::crashed(std::int64_t letter_id) noexcept {
  constexpr std::string_view kRecord = "redrive_crashed";
  if (!records_.admit(kRecord, "", "")) return;
  quietly([&] { records_.write_nobodys(Level::Error, kRecord, {{"dead_letter_id", letter_id}}); });
}

void RedriveLog::unreadable(const UnreadableLetter& letter) noexcept {
  constexpr std::string_view kRecord = "redrive_unreadable";
  if (!records_.admit(kRecord, "", "")) return;
  quietly([&] {
    records_.write_nobodys(Level::Error, kRecord,
                           {{"dead_letter_id", letter.id}, {"problem", letter.problem}});
  });
}

}  // namespace tidings::detail
