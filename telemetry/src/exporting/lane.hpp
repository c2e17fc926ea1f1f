#pragma once

#include "exporting/batch_source.hpp"
#include "exporting/losses.hpp"
#include "sending/http_client.hpp"

#include <tidings/logging/logger.hpp>
#include <tidings/telemetry/exporter_options.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::telemetry {

/// What the lanes of an exporter share. All of it outlives them.
struct LaneSetup {
  HttpClient& http;
  const ExporterOptions& options;
};

/// One signal's way to its receiver: takes batches from a source and sends them, one after the other, again
/// and again where that may help; counts what is lost, and tells. Of the exporter's thread, but for what says
/// otherwise.
class Lane {
 public:
  /// `name` is that of the signal in records.
  Lane(const char* name, const LaneSetup& setup, const Endpoint& endpoint, BatchSource& source,
       std::chrono::milliseconds give_up_after);

  /// When work() or tell() has something to do.
  [[nodiscard]] Instant work_due() const;
  [[nodiscard]] Instant tell_due() const { return losses_.tell_due(lost()); }
  /// Sends one request.
  void work() noexcept;
  /// Logs what was lost since it did so last; another time if there is no memory for it.
  void tell() noexcept;
  /// Loses what is left.
  void abandon() noexcept;

  /// By any thread: has what there is now sent without waiting for more. Returns what resolved() is when that
  /// is done.
  std::uint64_t hurry();
  /// How many items, from the first on, were sent or lost. By any thread.
  [[nodiscard]] std::uint64_t resolved() const noexcept { return resolved_.load(); }
  /// Whether something is left of what hurry() was called for.
  [[nodiscard]] bool is_hurried() const noexcept { return wanted_.load() > resolved_.load(); }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_.load(); }
  [[nodiscard]] std::uint64_t lost() const noexcept { return losses_.counted() + source_.refused(); }

 private:
  /// A batch on its way.
  struct Outgoing {
    Batch batch;
    Instant give_up_at;
  };

  [[nodiscard]] bool take() noexcept;
  void handle(const HttpResponse& response);
  void handle_taken(const HttpResponse& response);
  /// Whether the request may succeed another time; then `try_at_` says when.
  [[nodiscard]] bool postpone(const HttpResponse& response);
  void tell_warning(const std::string& warning);
  void lose_outgoing(std::string_view problem) noexcept;
  void lose(std::uint64_t items, std::string_view problem) noexcept;
  void resolve(std::uint64_t items) noexcept;

  const char* const name_;
  const LaneSetup setup_;
  const Endpoint& endpoint_;
  BatchSource& source_;
  const std::chrono::milliseconds give_up_after_;
  std::optional<Outgoing> outgoing_;
  Instant try_at_ = Instant::min();   // no request before
  Instant warn_at_ = Instant::min();  // no record of a receiver's warning before
  std::uint32_t failures_ = 0;        // requests that failed since one succeeded
  std::string last_failure_;          // of a request, since one succeeded
  Losses losses_;
  std::atomic<std::uint64_t> wanted_{0};  // of resolved(): without waiting for more
  std::atomic<std::uint64_t> resolved_{0};
  std::atomic<std::uint64_t> sent_{0};
};

}  // namespace tidings::telemetry
