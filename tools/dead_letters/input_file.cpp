#include "dead_letters/input_file.hpp"

#include "dead_letters/exit_status.hpp"
#include "text/printable.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tidings::dead_letters {
namespace {

[[noreturn]] void refuse_input(const std::string& path, const std::string& why) {
  throw Refusal(ExitStatus::NoInput, "cannot read " + tools::printable(path) + ": " + why);
}

struct stat facts_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) refuse_input(path, std::generic_category().message(errno));
  if (S_ISDIR(facts.st_mode)) refuse_input(path, "it is a folder; give a file");
  return facts;
}

}  // namespace

void require_readable(const std::string& path) {
  static_cast<void>(facts_of(path));
  if (::access(path.c_str(), R_OK) != 0) refuse_input(path, std::generic_category().message(errno));
}

void require_regular(const std::string& path) {
  if (!S_ISREG(facts_of(path).st_mode)) refuse_input(path, "it is not a regular file; give the path of one");
}

}  // namespace tidings::dead_letters
