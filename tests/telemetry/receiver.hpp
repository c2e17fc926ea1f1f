#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tidings::telemetry {

struct ReceivedRequest {
  std::string path;
  /// By name in lower case.
  std::map<std::string, std::string> headers;
  /// Not compressed any more.
  std::string body;
};

struct ReceiverResponse {
  int status = 200;
  std::map<std::string, std::string> headers = {};
  std::string body = {};
};

/// An HTTP server on a free port of this machine, which keeps what it is sent. Thread-safe.
class Receiver {
 public:
  /// Of another port than 0: that one.
  explicit Receiver(int port = 0);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver();

  [[nodiscard]] int port() const;
  [[nodiscard]] std::string url(const std::string& path) const;

  /// What the next requests are answered; those after them with status 200 and nothing.
  void answer_next(std::vector<ReceiverResponse> responses);
  /// From now on requests get no answer until release().
  void hold();
  void release();

  /// Waits until so many requests have come in all; fails the test after 20 s.
  void await_requests(std::size_t count);
  [[nodiscard]] std::vector<ReceivedRequest> requests() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A port of this machine that nobody listens on.
[[nodiscard]] int unused_port();

}  // namespace tidings::telemetry
