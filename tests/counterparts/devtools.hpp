#pragma once

#include <tidings/event.hpp>

#include <sys/types.h>

#include <string>

namespace tidings::telemetry {

/// autotel-devtools, a receiver of OTLP, in a process of its own.
class Devtools {
 public:
  /// Returns when it listens. Throws std::runtime_error if it does not.
  Devtools();
  Devtools(const Devtools&) = delete;
  Devtools& operator=(const Devtools&) = delete;
  ~Devtools();

  [[nodiscard]] std::string url() const;
  /// What it answers.
  [[nodiscard]] Json get(const std::string& path) const;
  [[nodiscard]] Json post(const std::string& path, const Json& body) const;

 private:
  int port_;
  pid_t process_ = -1;
  int output_ = -1;
};

}  // namespace tidings::telemetry
