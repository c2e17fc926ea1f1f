#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace tidings::bench {

/// An HTTP server on this machine that takes whatever it is posted, and throws it away. It serves one
/// connection at a time, which is what an exporter has. Where it was, connections are refused once it is
/// gone.
class LocalReceiver {
 public:
  /// `port` 0: any that is free. Throws std::runtime_error.
  explicit LocalReceiver(std::uint16_t port = 0);
  ~LocalReceiver();
  LocalReceiver(const LocalReceiver&) = delete;
  LocalReceiver& operator=(const LocalReceiver&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// What an exporter's endpoint has.
  [[nodiscard]] std::string url() const;
  /// Bodies of requests that were answered.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(); }

 private:
  void accept_connections();
  void serve(int connection);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<int> connection_{-1};
  std::atomic<std::uint64_t> bytes_{0};
  std::thread thread_;
};

}  // namespace tidings::bench
