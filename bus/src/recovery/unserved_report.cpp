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
      count_.unserved(journal_.port->owed_totals(SIZE_MAX), topics_.all());
  const bool changed = unserved.size() != reported_;
  if (changed) {
    for (const OwedTotal& total : unserved) log_.unserved(total);
  }
  journal_.port->report_unserved(unserved);
  reported_ = unserved.size();
  due_.reset();
  if (!unserved.empty()) due_ = now + kReportAgain;
}

}  // namespace tidings::detail
