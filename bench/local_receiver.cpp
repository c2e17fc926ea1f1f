#include "local_receiver.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string_view>

namespace tidings::bench {

namespace {

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kEndOfHeaders = "\r\n\r\n";
constexpr std::string_view kLength = "\r\ncontent-length:";

int listen_on(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket, 4) == 0)
    return socket;
  ::close(socket);
  throw std::runtime_error("cannot listen on port " + std::to_string(port) + " of this machine");
}

std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::size_t length_of_body(const std::string& headers) {
  for (std::size_t at = 0; at + kLength.size() < headers.size(); ++at) {
    if (::strncasecmp(headers.data() + at, kLength.data(), kLength.size()) == 0)
      return std::stoul(headers.substr(at + kLength.size()));
  }
  throw std::runtime_error("a request without the length of its body");
}

}  // namespace

LocalReceiver::LocalReceiver(std::uint16_t port)
    : listener_(listen_on(port)), port_(port_of(listener_)), thread_([this] { accept_connections(); }) {}

LocalReceiver::~LocalReceiver() {
  ended_.store(true);
  ::shutdown(listener_, SHUT_RDWR);
  if (const int connection = connection_.load(); connection >= 0) ::shutdown(connection, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string LocalReceiver::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1/traces"; }

void LocalReceiver::accept_connections() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const int yes = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection_.store(connection);
    if (!ended_.load()) serve(connection);
    connection_.store(-1);
    ::close(connection);
  }
}

/// Until the other side closes it, or this one is ended.
void LocalReceiver::serve(int connection) {
  std::array<char, 65'536> buffer{};
  std::string pending;
  for (;;) {
    const auto end = pending.find(kEndOfHeaders);
    if (end != std::string::npos) {
      const std::size_t length = length_of_body(pending.substr(0, end));
      if (const std::size_t all = end + kEndOfHeaders.size() + length; pending.size() >= all) {
        pending.erase(0, all);
        bytes_.fetch_add(length);
        if (::send(connection, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return;
        continue;
      }
    }
    const ssize_t got = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace tidings::bench
