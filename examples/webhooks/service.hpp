#pragma once

#include "delivery.hpp"
#include "handlers.hpp"
#include "ledger.hpp"

#include <tidings/bus.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/logging/logger.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace webhooks {

/// The service: a bus, its handlers, and what they write to.
class Service {
 public:
  static constexpr std::string_view kName = "webhooks";

  /// `page_file`: where the activity page is, if it is a file. `telemetry`: what is told of the bus.
  Service(std::shared_ptr<tidings::deadletter::Store> store, const tidings::logging::Logger& logger,
          std::filesystem::path page_file = {}, tidings::BusTelemetry telemetry = {});

  /// Publishes a delivery from line `line` of the input. Throws tidings::Error if the bus does not take it: a
  /// type that is no name, for instance. One thread at a time.
  void take_in(const Delivery& delivery, std::uint64_t line);

  /// Returns when every delivery is handled or a dead letter. Nothing is taken in afterwards.
  void finish();

  [[nodiscard]] tidings::Bus& bus() { return bus_; }
  [[nodiscard]] const Downstreams& downstreams() const { return downstreams_; }
  [[nodiscard]] const Audit& audit() const { return audit_; }
  [[nodiscard]] std::uint64_t events() const { return ledger_.events(); }
  /// Since this service started. Throws tidings::Error when the database cannot be read.
  [[nodiscard]] std::vector<Account> accounts() const;

 private:
  template <class E, class Handler>
  void serve(std::string_view name, Handler handler, tidings::SubscribeOptions<E> options);
  template <class Handler>
  void serve(std::string_view event_type, std::string_view name, Handler handler,
             tidings::SubscribeOptions<tidings::Json> options);
  void serve_pushes();
  void serve_issues_and_pull_requests();
  void serve_releases();
  void serve_events_without_struct();

  std::shared_ptr<tidings::deadletter::Store> store_;
  tidings::Timestamp started_at_;
  Downstreams downstreams_;
  Audit audit_;
  Ledger ledger_;
  tidings::Bus bus_;  // last: its handlers use the others
};

}  // namespace webhooks
