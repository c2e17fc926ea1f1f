#pragma once

#include <tidings/telemetry/exporter_options.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::telemetry {

struct HttpResponse {
  /// 0: there was none; `problem` says why.
  long status = 0;
  /// Its first 64 KiB.
  std::string body = {};
  /// The value of the header; empty if there was none.
  std::string retry_after = {};
  std::string problem = {};
};

/// Posts with libcurl, one request at a time, on connections that are kept. Redirects are not followed.
/// `post` is for one thread; cancel() may be called by any.
class HttpClient {
 public:
  /// Throws std::bad_alloc.
  HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Returns when there is an answer, the endpoint's timeout has passed, or cancel() was called. Throws
  /// std::bad_alloc.
  [[nodiscard]] HttpResponse post(const Endpoint& to, std::string_view body);
  /// Ends the request that runs, and those to come, at once.
  void cancel() noexcept;

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace tidings::telemetry
