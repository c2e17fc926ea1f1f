#include "check.hpp"
#include "raw_letters.hpp"
#include "rows.hpp"
#include "sample_letters.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

// Storing dead letters in batches as large as the bus makes them when letters come faster than they can be
// stored, into tables that are full already. The database lies below $TMPDIR, else /tmp: on a disk the
// figures are of that disk, in memory they are of the processor alone.

namespace tidings::bench {

namespace {

constexpr std::size_t kBatch = 256;  // LetterWriter's
constexpr std::size_t kBatchesEachRound = 20;
const std::string kRow = "dead letters stored, batches of 256";

/// A database as the store makes it, with this many letters in it.
void fill(const std::filesystem::path& path, std::size_t letters) {
  constexpr std::size_t kAtOnce = 10'000;
  static_cast<void>(deadletter::Store::open(path));
  RawLetters raw(path, RawLetters::Synced::No);
  for (std::size_t done = 0; done < letters; done += kAtOnce)
    raw.store(raw_rows(sample_letters(done, kAtOnce)));
}

template <class Store>
double letters_each_second(Store store) {
  const auto begin = std::chrono::steady_clock::now();
  store();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(kBatch * kBatchesEachRound) / took.count();
}

double store_through_tidings(deadletter::Store& store) {
  const std::vector<DeadLetter> letters = sample_letters(0, kBatch * kBatchesEachRound);
  std::size_t stored = 0;
  const double rate = letters_each_second([&] {
    for (std::size_t first = 0; first < letters.size(); first += kBatch) {
      for (const LetterOutcome& outcome :
           store.store(std::span(letters).subspan(first, kBatch), WhenBusy::Throw)) {
        stored += outcome.place == LetterOutcome::Place::Stored ? 1 : 0;
      }
    }
  });
  require_equal(stored, letters.size(), "count of stored letters");
  return rate;
}

double store_raw(RawLetters& raw) {
  std::vector<std::vector<RawRow>> batches;
  for (std::size_t batch = 0; batch < kBatchesEachRound; ++batch)
    batches.push_back(raw_rows(sample_letters(0, kBatch)));
  return letters_each_second([&] {
    for (const auto& batch : batches) raw.store(batch);
  });
}

std::uint64_t count_in(const std::filesystem::path& path) {
  return static_cast<std::uint64_t>(deadletter::Reader::open(path).count({}));
}

/// Both wrote the same: as many rows, and as many bytes of payload and history.
void require_same_work(const std::filesystem::path& ours, const std::filesystem::path& raw,
                       std::uint64_t rows) {
  require_equal(count_in(ours), rows, "count of rows");
  require_equal(count_in(raw), rows, "count of rows");
  require_equal(RawLetters(ours, RawLetters::Synced::No).bytes(),
                RawLetters(raw, RawLetters::Synced::No).bytes(), "bytes of the rows");
}

std::vector<Row> measure(const Settings& settings) {
  const std::size_t present = settings.quick ? 50'000 : 1'000'000;
  const std::size_t rounds = settings.long_rounds();
  const ScratchFolder folder;
  const auto ours = folder.path() / "ours.db";
  const auto theirs = folder.path() / "raw.db";
  fill(ours, present);
  std::filesystem::copy_file(ours, theirs);
  std::vector<std::vector<double>> series;
  {
    const auto store = deadletter::Store::open(ours);
    RawLetters raw(theirs, RawLetters::Synced::Full);
    series =
        take_turns(rounds, {[&] { return store_through_tidings(*store); }, [&] { return store_raw(raw); }});
  }
  require_same_work(ours, theirs, present + (rounds + 1) * kBatch * kBatchesEachRound);
  return {compare(kRow, "/s", series[0],
                  std::string("SQLite C API into ") + (settings.quick ? "50,000" : "1,000,000") + " rows",
                  series[1], at_least(0.8))};
}

}  // namespace

void add_letter_rows(std::vector<Measurement>& measurements) { measurements.push_back({{kRow}, measure}); }

}  // namespace tidings::bench
