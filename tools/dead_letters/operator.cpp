#include "dead_letters/operator.hpp"

#include "text/printable.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace tidings::dead_letters {

deadletter::Actor current_operator() {
  constexpr std::size_t kLongestName = 64;
  const passwd* entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): there is one thread
  std::string user = entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
  const char* person = std::getenv("SUDO_USER");  // NOLINT(concurrency-mt-unsafe)
  if (person != nullptr && *person != '\0' && user != person) {
    user = tools::printable(person, kLongestName) + "(" + user + ")";
  }
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return {user, host.data()};
}

}  // namespace tidings::dead_letters
