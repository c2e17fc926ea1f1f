#include "simulation/scribe.hpp"

#include <unistd.h>

namespace tidings::simulation {

void Scribe::write(std::string line) const {
  line += '\n';
  // Shorter than PIPE_BUF: written whole, or not at all.
  if (::write(pipe_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(3);
}

void Scribe::tell(std::string_view what, std::int64_t number, std::string_view more) const {
  std::string line = std::string(what) + ' ' + std::to_string(number);
  if (!more.empty()) line.append(" ").append(more);
  write(std::move(line));
}

}  // namespace tidings::simulation
