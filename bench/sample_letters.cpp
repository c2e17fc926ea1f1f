#include "sample_letters.hpp"

#include <tidings/clock.hpp>
#include <tidings/ids.hpp>

#include <chrono>
#include <string>

namespace tidings::bench {

namespace {

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

}  // namespace

std::vector<DeadLetter> sample_letters(std::size_t first, std::size_t count) {
  std::vector<DeadLetter> letters;
  letters.reserve(count);
  for (std::size_t number = first; number < first + count; ++number) letters.push_back(make_letter(number));
  return letters;
}

}  // namespace tidings::bench
