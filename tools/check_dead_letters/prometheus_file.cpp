#include "check_dead_letters/prometheus_file.hpp"

#include <tidings/error.hpp>

#include <system_error>

namespace tidings::check_dead_letters {
namespace {

using deadletter::DatabaseFiles;
using deadletter::OutputFile;

constexpr unsigned kMode = 0644;

/// Writes the file. `advice` is what to do if the current step fails with a system error.
void write_or_advise(const std::string& path, const std::string& text,
                     std::span<const DatabaseFiles> databases, const char*& advice) {
  advice = "the folder must exist, and this user must be allowed to write there";
  OutputFile file(path, OutputFile::Existing::Replace, databases);
  advice = "free some space, or name another folder";
  file.write(text);
  advice = "this user must be allowed to replace the file; check the disk, too";
  file.finish(kMode);
}

}  // namespace

std::optional<std::string> write_prometheus_file(const std::string& path, const std::string& text,
                                                 std::span<const DatabaseFiles> databases) {
  const char* advice = "";
  try {
    write_or_advise(path, text, databases, advice);
    return std::nullopt;
  } catch (const Error& error) {
    return std::string("refused to write the metrics: ") + error.what();
  } catch (const std::system_error& error) {
    return "could not write the metrics to " + path + ": " + error.code().message() + "; " + advice;
  }
}

}  // namespace tidings::check_dead_letters
