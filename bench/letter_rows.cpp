#include "check.hpp"
#include "raw_letters.hpp"
#include "rows.hpp"
#include "scratch_folder.hpp"
#include "statistics.hpp"

#include <tidings/clock.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/ids.hpp>

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

/// The `number`th letter: 300 bytes of payload and three attempts.
DeadLetter make_letter(std::size_t number) {
  static const auto ids = uuid_v7_source();
  DeadLetter letter;
  letter.event_type = "bench.order_placed";
  Json data = {{"order_id", 1'000'000 + number}, {"customer", "customer-7"}, {"note", ""}};
  data["note"] = std::string(300 - data.dump().size(), 'n');
  letter.data = encode_data(data);
  letter.failed_at = system_clock()->now();
  letter.metadata.published_at = letter.failed_at;
  letter.metadata.event_id = ids->next(letter.failed_at);
  letter.metadata.correlation_id = CorrelationId(ids->next(letter.failed_at));
  letter.metadata.source = Text("bench");
  letter.service = "bench";
  letter.handler = "send_receipt";
  letter.error_type = "std::runtime_error";
  letter.error_message = "the mail server at port 25 did not answer";
  letter.error_fingerprint = error_fingerprint(letter.handler, letter.error_type, letter.error_message);
  letter.retry_count = 2;
  for (int attempt = 0; attempt < 3; ++attempt) {
    letter.attempts.push_back(
        {letter.failed_at, std::chrono::microseconds(120), letter.error_type, letter.error_message});
  }
  return letter;
}

std::vector<DeadLetter> make_letters(std::size_t first, std::size_t count) {
  std::vector<DeadLetter> letters;
  letters.reserve(count);
  for (std::size_t number = first; number < first + count; ++number) letters.push_back(make_letter(number));
  return letters;
}

/// A database as the store makes it, with this many letters in it.
void fill(const std::filesystem::path& path, std::size_t letters) {
  constexpr std::size_t kAtOnce = 10'000;
  static_cast<void>(deadletter::Store::open(path));
  RawLetters raw(path, RawLetters::Synced::No);
  for (std::size_t done = 0; done < letters; done += kAtOnce)
    raw.store(raw_rows(make_letters(done, kAtOnce)));
}

template <class Store>
double letters_each_second(Store store) {
  const auto begin = std::chrono::steady_clock::now();
  store();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(kBatch * kBatchesEachRound) / took.count();
}

double store_through_tidings(deadletter::Store& store) {
  const std::vector<DeadLetter> letters = make_letters(0, kBatch * kBatchesEachRound);
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
    batches.push_back(raw_rows(make_letters(0, kBatch)));
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
