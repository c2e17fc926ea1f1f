#include "recovery/unserved_report.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace tidings::detail {
namespace {

constexpr std::chrono::seconds kReportAfter{10};
constexpr std::chrono::seconds kReportAgain{60};

}  // namespace

void UnservedReport::begin(Instant now) { due_ = now + kReportAfter; }

void UnservedReport::report_if_due(Instant now) {
  if (!due_ || now < *due_) return;
  const std::vector<OwedTotal> unserved =
      count_.unserved(bus_.journal.port->owed_totals(SIZE_MAX), bus_.topics.all());
  const bool changed = unserved.size() != reported_;
  if (changed) {
    for (const OwedTotal& total : unserved) bus_.log.unserved(total);
  }
  bus_.journal.port->report_unserved(unserved);
  reported_ = unserved.size();
  due_.reset();
  if (!unserved.empty()) due_ = now + kReportAgain;
}

}  // namespace tidings::detail
