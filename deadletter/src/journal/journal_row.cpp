#include "journal/journal_row.hpp"

#include "letters/letter_row.hpp"
#include "sqlite/stored_time.hpp"

#include <tidings/detail/context_json.hpp>
#include <tidings/detail/parse_json.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace tidings::deadletter {
namespace {

/// The values of one row from left to right; a value that cannot be read becomes part of the problem.
class LenientRow {
 public:
  LenientRow(const Prepared& row, int first_column, std::string& problem)
      : row_(row), column_(first_column), problem_(problem) {}

  std::string_view text() { return row_.column_text(column_++); }
  std::int64_t integer() { return row_.column_integer(column_++); }
  Timestamp time() { return time_of(integer()); }
  std::optional<std::string> optional_text() {
    if (!row_.column_is_null(column_)) return std::string(text());
    ++column_;
    return std::nullopt;
  }
  std::optional<Timestamp> optional_time() {
    if (row_.column_is_null(column_)) {
      ++column_;
      return std::nullopt;
    }
    return time();
  }

  template <class Integer>
  Integer small(const char* name, std::int64_t least) {
    const std::int64_t value = integer();
    if (value >= least && std::in_range<Integer>(value)) return static_cast<Integer>(value);
    wrong(name);
    return static_cast<Integer>(least);
  }

  template <class Integer>
  std::optional<Integer> optional_small(const char* name, std::int64_t least) {
    if (!row_.column_is_null(column_)) return small<Integer>(name, least);
    ++column_;
    return std::nullopt;
  }

  /// The result of `parse` for the text.
  template <class Parse>
  auto parsed(const char* name, Parse parse) -> decltype(parse(std::string_view())) {
    auto result = parse(text());
    if (!result) wrong(name);
    return result;
  }
  template <class Parse>
  auto optional(const char* name, Parse parse) -> decltype(parse(std::string_view())) {
    if (!row_.column_is_null(column_)) return parsed(name, parse);
    ++column_;
    return std::nullopt;
  }

  /// The result of `convert` for the JSON, or a default if it fails.
  template <class Convert>
  auto from_json(const char* name, Convert convert) -> decltype(convert(std::string_view())) {
    try {
      return convert(text());
    } catch (const nlohmann::json::exception&) {
      wrong(name);
      return {};
    } catch (const Error&) {
      wrong(name);
      return {};
    }
  }

  void wrong(const char* name) {
    problem_ += problem_.empty() ? "cannot be read: " : ", ";
    problem_ += name;
  }

 private:
  const Prepared& row_;
  int column_;
  std::string& problem_;
};

}  // namespace

std::optional<std::vector<std::string>> handlers_from_json(std::string_view text) {
  try {
    return tidings::detail::parse_json(text).get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

OwedDelivery read_event(const Prepared& row) {
  OwedDelivery event;
  event.journal_id = row.column_integer(0);
  LenientRow values(row, kHandlersColumn + 1, event.problem);
  Metadata& metadata = event.metadata;
  metadata.event_id = values.parsed("event_id", &EventId::parse).value_or(EventId());
  event.event_type = values.text();
  event.schema_version = values.small<int>("schema_version", 1);
  event.data.bytes = values.text();
  event.data.encoding = values.parsed("data_encoding", &parse_data_encoding).value_or(DataEncoding::None);
  metadata.fields = values.from_json("attributes", tidings::detail::context_from_json);
  metadata.source = std::string(values.text());
  metadata.correlation_id =
      values.parsed("correlation_id", &CorrelationId::parse).value_or(CorrelationId(metadata.event_id));
  metadata.causation_id = values.optional("causation_id", &EventId::parse);
  metadata.causation_depth = values.small<std::uint32_t>("causation_depth", 0);
  metadata.traceparent = values.optional("traceparent", &TraceParent::parse);
  metadata.tracestate = std::string(values.text());
  metadata.published_at = values.time();
  metadata.foreign_id = values.optional_text();
  metadata.max_attempts = values.optional_small<std::uint32_t>("max_attempts", 1).value_or(0);
  return event;
}

JournalDelivery read_delivery(const Prepared& row, std::int64_t journal_id, std::string& problem) {
  JournalDelivery delivery;
  delivery.journal_id = journal_id;
  LenientRow values(row, kDeliveryHandlerColumn, problem);
  delivery.handler = values.text();
  delivery.done = values.integer() != 0;
  delivery.attempts_made = values.small<std::uint32_t>("attempts_made", 0);
  delivery.attempts = values.from_json("attempts", attempts_from_json);
  delivery.failed_at = values.optional_time();
  delivery.next_attempt_at = values.optional_time();
  delivery.crashes = values.small<std::uint32_t>("crashes", 0);
  return delivery;
}

}  // namespace tidings::deadletter
