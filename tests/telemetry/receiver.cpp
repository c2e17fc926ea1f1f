#include "telemetry/receiver.hpp"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace tidings::telemetry {
namespace {

constexpr const char* kHost = "127.0.0.1";

std::string lowercase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

struct Receiver::State {
  void handle(const httplib::Request& request, httplib::Response& response) {
    ReceivedRequest received{request.path, {}, request.body};
    for (const auto& [name, value] : request.headers) received.headers[lowercase(name)] = value;
    std::unique_lock lock(mutex);
    requests.push_back(std::move(received));
    changed.notify_all();
    changed.wait(lock, [this] { return !held; });
    ReceiverResponse answer;
    if (!responses.empty()) {
      answer = std::move(responses.front());
      responses.pop_front();
    }
    response.status = answer.status;
    for (const auto& [name, value] : answer.headers) response.set_header(name.c_str(), value);
    response.set_content(answer.body, "application/octet-stream");
  }

  httplib::Server server;
  int port = 0;
  std::thread thread;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<ReceivedRequest> requests;   // guarded by mutex
  std::deque<ReceiverResponse> responses;  // guarded by mutex
  bool held = false;                       // guarded by mutex
};

Receiver::Receiver(int port) : state_(std::make_unique<State>()) {
  httplib::Server& server = state_->server;
  server.Post(".*", [this](const auto& request, auto& response) { state_->handle(request, response); });
  server.set_keep_alive_timeout(1);
  if (port != 0) {
    EXPECT_TRUE(server.bind_to_port(kHost, port));
    state_->port = port;
  } else {
    state_->port = server.bind_to_any_port(kHost);
  }
  state_->thread = std::thread([this] { state_->server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
}

Receiver::~Receiver() {
  release();
  state_->server.stop();
  state_->thread.join();
}

int Receiver::port() const { return state_->port; }

std::string Receiver::url(const std::string& path) const {
  return std::string("http://") + kHost + ":" + std::to_string(state_->port) + path;
}

void Receiver::answer_next(std::vector<ReceiverResponse> responses) {
  const std::lock_guard lock(state_->mutex);
  for (ReceiverResponse& response : responses) state_->responses.push_back(std::move(response));
}

void Receiver::hold() {
  const std::lock_guard lock(state_->mutex);
  state_->held = true;
}

void Receiver::release() {
  const std::lock_guard lock(state_->mutex);
  state_->held = false;
  state_->changed.notify_all();
}

void Receiver::await_requests(std::size_t count) {
  std::unique_lock lock(state_->mutex);
  EXPECT_TRUE(state_->changed.wait_for(lock, std::chrono::seconds(20),
                                       [&] { return state_->requests.size() >= count; }))
      << state_->requests.size() << " requests of " << count;
}

std::vector<ReceivedRequest> Receiver::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

int unused_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace tidings::telemetry
