#pragma once

#include "line_reader.hpp"

#include <tidings/event.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace webhooks {

/// GitHub sends no payload above 25 MB.
inline constexpr std::size_t kMaxLineBytes = 25 * 1024 * 1024;

/// One webhook delivery: `{"id": "...", "type": "github.push", "source": "...", "data": {...}}`.
struct Delivery {
  /// GitHub's name for it (X-GitHub-Delivery), by which both sides find it again. May be empty.
  std::string id = {};
  std::string type;
  std::string source;  ///< May be empty.
  tidings::Json data;
};

/// A line that is not a delivery; what() says why.
class MalformedLine : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws MalformedLine.
[[nodiscard]] Delivery parse_delivery(const Line& line);

}  // namespace webhooks
