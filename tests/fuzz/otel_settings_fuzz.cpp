#include "settings/environment.hpp"
#include "settings/pair_list.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_check.hpp"

namespace {

using namespace tidings::telemetry;

void check_pairs(const std::string& text) {
  const PairList list = parse_pairs(text);
  const auto members = static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) + 1;
  FUZZ_CHECK(list.pairs.size() + list.bad_members.size() <= members);
  for (const auto& pair : list.pairs) {
    FUZZ_CHECK(!pair.name.empty() && pair.place >= 1 && pair.place <= members);
    if (!is_sendable_header(pair.name, pair.value)) continue;
    for (const std::string& part : {pair.name, pair.value})
      FUZZ_CHECK(part.find_first_of(std::string("\r\n\0", 3)) == std::string::npos);
  }
}

/// Every variable has this value.
void check_options(const std::string& text) {
  const ExporterOptions options = exporter_options_of([&](const char*) { return text.c_str(); }, "fuzz");
  FUZZ_CHECK(options.traces.url.empty() || options.traces.url.starts_with("http"));
  for (const Batching* each : {&options.span_batches, &options.log_batches}) {
    FUZZ_CHECK(each->batch >= 1 && each->batch <= each->queue && each->queue <= 1'000'000);
    FUZZ_CHECK(each->delay.count() > 0 && each->give_up_after.count() > 0);
  }
  FUZZ_CHECK(options.traces.timeout.count() > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_pairs(text);
  check_options(text);
  check_options("http://" + text);
  return 0;
}
