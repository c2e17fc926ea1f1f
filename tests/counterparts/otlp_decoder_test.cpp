#include "otlp/messages.hpp"

#include "architecture/command.hpp"
#include "telemetry/otlp_examples.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

// What tidings encodes, decoded by the classes that OpenTelemetry generates from OTLP's own files.

namespace tidings::telemetry {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

template <class Encode, class Items>
void write_signal(const fs::path& folder, const std::string& name, const std::string& expected, Encode encode,
                  const Items& items, const Resource& resource) {
  write_file(folder / (name + ".expected.json"), expected);
  write_file(folder / (name + ".pb"), encode(items, resource, OtlpEncoding::Protobuf));
  write_file(folder / (name + ".json"), encode(items, resource, OtlpEncoding::Json));
}

TEST(OtlpDecoder, ReadsEveryFieldAndWritesTheSameBytes) {
  const fs::path folder = fs::temp_directory_path() / ("tidings-otlp-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const OtlpExamples examples = otlp_examples();
  write_signal(folder, "spans", spans_as_json(), encode_spans, examples.spans, examples.resource);
  write_signal(folder, "logs", logs_as_json(), encode_logs, examples.logs, examples.resource);
  write_signal(folder, "metrics", metrics_as_json(), encode_metrics, examples.metrics, examples.resource);
  const auto result =
      architecture::run_command("/usr/bin/python3 '" TIDINGS_DECODE_OTLP "' '" + folder.string() + "'");
  fs::remove_all(folder);
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

TEST(OtlpDecoder, TakesTextThatWasNoUtf8) {
  const fs::path folder = fs::temp_directory_path() / ("tidings-utf8-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  OtlpExamples examples = otlp_examples();
  std::string expected = spans_as_json();
  const std::string name = "process orders.order_placed";
  expected.replace(expected.find(name), name.size(), "process \xEF\xBF\xBD");
  examples.spans[0].name = "process \xFF";
  write_signal(folder, "spans", expected, encode_spans, examples.spans, examples.resource);
  const auto result =
      architecture::run_command("/usr/bin/python3 '" TIDINGS_DECODE_OTLP "' '" + folder.string() + "' spans");
  fs::remove_all(folder);
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

}  // namespace
}  // namespace tidings::telemetry
