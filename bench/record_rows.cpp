#include "check.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <nlohmann/json.hpp>
#include <tidings/logging/logger.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// One structured record to a file, with the redaction that every record goes through.

namespace tidings::bench {

namespace {

constexpr std::size_t kRecords = 20'000;
const std::string kRow = "one structured log record to a file";

template <class Log>
double nanoseconds_each(Log log) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < kRecords; ++i) log(i);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(kRecords);
}

std::size_t lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return static_cast<std::size_t>(
      std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n'));
}

/// The same object as a record of ours, made by nlohmann and written by spdlog, whose pattern adds nothing.
void write_as_json(spdlog::logger& file, std::size_t number) {
  const nlohmann::ordered_json record = {
      {"timestamp",
       to_rfc3339(std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()))},
      {"level", "info"},
      {"event", "import_finished"},
      {"logger", "import"},
      {"service", "orders"},
      {"file", "/var/spool/orders/2026-11-21.csv"},
      {"rows", number},
      {"duration_ms", 12.5}};
  file.info(record.dump());
}

std::vector<Row> measure(const Settings& settings) {
  const ScratchFolder folder;
  const auto ours = folder.path() / "ours.log";
  const auto theirs = folder.path() / "theirs.log";
  const std::size_t rounds = settings.short_rounds();
  std::vector<std::vector<double>> series;
  {
    const auto log =
        logging::Logger({.service = "orders",
                         .sinks = {{std::make_shared<spdlog::sinks::basic_file_sink_mt>(ours.native()),
                                    logging::Format::Json}}})
            .child("import");
    spdlog::logger file("bench", std::make_shared<spdlog::sinks::basic_file_sink_mt>(theirs.native()));
    file.set_pattern("%v");
    const std::string path = "/var/spool/orders/2026-11-21.csv";
    series = take_turns(
        rounds, {[&] {
                   return nanoseconds_each([&](std::size_t i) {
                     log.info("import_finished", {{"file", path}, {"rows", i}, {"duration_ms", 12.5}});
                   });
                 },
                 [&] { return nanoseconds_each([&](std::size_t i) { write_as_json(file, i); }); }});
    file.flush();
  }
  require_equal(lines_of(ours), (rounds + 1) * kRecords, "count of lines");
  require_equal(lines_of(theirs), (rounds + 1) * kRecords, "count of lines");
  return {compare(kRow, "ns", series[0], "nlohmann's dump, written by spdlog", series[1], at_most(1.2))};
}

}  // namespace

void add_record_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
