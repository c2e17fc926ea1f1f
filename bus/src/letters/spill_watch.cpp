#include "letters/spill_watch.hpp"

#include <chrono>

namespace tidings::detail {
namespace {

constexpr std::chrono::seconds kImportEvery{5};

}  // namespace

void SpillWatch::tick(Instant now) {
  if (!sink_ || now < due_) return;
  const SpillImport done = sink_->import_spilled();
  due_ = done.more ? now : now + kImportEvery;
  if (done.more) housekeeper_.wake();
  if (done.imported > 0 || done.set_aside > 0) log_.letters.spill_imported(done);
  const bool news = done.problem != problem_;
  problem_ = done.problem;
  if (news && !done.problem.empty()) log_.letters.spill_waits(done.problem);
}

}  // namespace tidings::detail
