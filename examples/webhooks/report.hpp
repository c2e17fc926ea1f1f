#pragma once

#include "service.hpp"

#include <tidings/event.hpp>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace webhooks {

struct RefusedLine {
  std::uint64_t number = 0;
  std::string problem;
};

/// How one run went.
struct Report {
  std::uint64_t events = 0;
  std::vector<RefusedLine> refused = {};
  std::vector<Account> accounts = {};
  /// Whether published = handled + dead letters for each handler.
  [[nodiscard]] bool is_balanced() const;
};

/// For people. Texts from payloads are made safe to print.
void print_report(std::ostream& out, const Report& report, const Service& service, bool colour);

/// For machines: `events`, `refused_lines` and `handlers`, with the numbers of print_report.
[[nodiscard]] tidings::Json to_json(const Report& report);

}  // namespace webhooks
