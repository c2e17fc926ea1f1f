#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tidings::dead_letters {

/// The exit statuses of dead-letters: those of sysexits.h.
enum class ExitStatus : std::uint8_t {
  Ok = 0,
  Usage = 64,          ///< The command line is wrong.
  Data = 65,           ///< Letters or a file are not what the command needs.
  NoInput = 66,        ///< There is no such database, letter or file.
  Unavailable = 69,    ///< Letters failed again, or the service stopped the redrive.
  CannotCreate = 73,   ///< A file cannot be made.
  InputOutput = 74,    ///< Reading or writing failed.
  TryAgain = 75,       ///< Something is in use, or the command was stopped.
  Permission = 77,     ///< This user may not.
  Configuration = 78,  ///< The database is of a newer tidings.
};

/// Ends the command. `what()` says what was wrong and what to do about it.
class Refusal : public std::runtime_error {
 public:
  Refusal(ExitStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
  [[nodiscard]] ExitStatus status() const noexcept { return status_; }

 private:
  ExitStatus status_;
};

}  // namespace tidings::dead_letters
