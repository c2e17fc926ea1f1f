#include "dead_letters/command.hpp"
#include "dead_letters/input_file.hpp"
#include "dead_letters/letters_file.hpp"
#include "dead_letters/long_change.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <tidings/deadletter/output_file.hpp>

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <istream>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <system_error>

namespace tidings::dead_letters {
namespace {

constexpr std::size_t kLettersAtOnce = 200;
constexpr std::int64_t kSaidProblems = 20;
constexpr std::size_t kBytesAtOnce = 64UL * 1024;
constexpr unsigned kExportMode = 0600;

/// A new file, mode 0600, which gets its name when the export is complete; or standard output.
class ExportTarget {
 public:
  ExportTarget(Command& command, const std::string& path) : out_(command.streams().out), path_(path) {
    if (path.empty() || path == "-") return;
    const deadletter::DatabaseFiles database{command.line().database, command.reader().spill_paths()};
    try {
      file_.emplace(path, deadletter::OutputFile::Existing::Refuse, std::span(&database, 1));
    } catch (const Error& error) {
      throw Refusal(ExitStatus::CannotCreate, error.what());
    } catch (const std::system_error& error) {
      fail(ExitStatus::CannotCreate, "cannot create ", error.code().message() + "; check its folder");
    }
  }

  [[nodiscard]] bool is_file() const noexcept { return file_.has_value(); }
  [[nodiscard]] bool takes_more() const { return file_ || out_.good(); }
  /// A failure of standard output is reported at the end, unless its reader has just stopped reading.
  void write(const std::string& line) {
    if (!file_) {
      out_ << line << '\n';
      return;
    }
    lines_ += line + '\n';
    if (lines_.size() >= kBytesAtOnce) write_lines();
  }
  void finish() {
    if (!file_) {
      out_.flush();
      return;
    }
    write_lines();
    try {
      file_->finish(kExportMode);
    } catch (const std::system_error& error) {
      fail(ExitStatus::CannotCreate, "cannot create ", error.code().message() + "; check its folder");
    }
  }

 private:
  void write_lines() {
    try {
      file_->write(lines_);
    } catch (const std::system_error& error) {
      fail(ExitStatus::InputOutput, "cannot write ", error.code().message() + "; is its disk full?");
    }
    lines_.clear();
  }
  [[noreturn]] void fail(ExitStatus status, const std::string& what, const std::string& why) const {
    throw Refusal(status, what + tools::printable(path_) + ": " + why);
  }

  std::ostream& out_;
  const std::string& path_;
  std::optional<deadletter::OutputFile> file_;
  std::string lines_;
};

/// Reports the first problems, and counts all.
class Problems {
 public:
  explicit Problems(Command& command) : command_(command) {}

  void add(const std::string& problem) {
    if (++count_ <= kSaidProblems) command_.warn(command_.masked(problem));
    if (count_ == kSaidProblems + 1) command_.warn("more such problems are counted, not shown");
  }
  [[nodiscard]] std::int64_t count() const noexcept { return count_; }

 private:
  Command& command_;
  std::int64_t count_ = 0;
};

/// The letters of a file, line by line. A line that cannot be read is reported as a problem and skipped. In a
/// service's log only the letters written to standard error count, and other lines are not a problem.
class ImportSource {
 public:
  ImportSource(Command& command, const std::string& path, Problems& problems)
      : problems_(problems), in_(&command.streams().in) {
    if (path == "-") return;
    require_readable(path);
    file_.open(path, std::ios::binary);
    if (!file_)
      throw Refusal(ExitStatus::NoInput,
                    "cannot read " + tools::printable(path) + ": " + std::generic_category().message(errno));
    in_ = &file_;
  }

  std::optional<deadletter::StoredLetter> next() {
    for (std::string line; std::getline(*in_, line);) {
      ++line_number_;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      try {
        auto letter = read(line);
        if (!letter) continue;
        pending_.push_back(line_number_);
        return letter;
      } catch (const Error& error) {
        ++unreadable_;
        problems_.add("line " + std::to_string(line_number_) + ": " + tools::printable(error.what(), 500));
      }
    }
    tell_of_texts();
    return std::nullopt;
  }

  /// The line of the letter whose outcome comes next.
  std::int64_t take_line() {
    const auto line = pending_.front();
    pending_.pop_front();
    return line;
  }
  [[nodiscard]] std::int64_t unreadable() const noexcept { return unreadable_; }
  /// Other lines of a log.
  [[nodiscard]] std::int64_t skipped() const noexcept { return records_ + texts_; }

 private:
  std::optional<deadletter::StoredLetter> read(const std::string& line) {
    switch (kind_of_line(line)) {
      case LineKind::Unsaved:
        is_log_ = true;
        return from_unsaved_line(line);
      case LineKind::LogRecord:
        is_log_ = true;
        ++records_;
        return std::nullopt;
      case LineKind::Text:
        if (texts_++ == 0) first_text_ = line_number_;
        return std::nullopt;
      case LineKind::Exported:
        break;
    }
    return from_export_line(line);
  }

  /// At the end it is known whether the file is a log, in which lines of text are usual.
  void tell_of_texts() {
    if (is_log_ || texts_ == 0) return;
    unreadable_ += texts_;
    problems_.add("line " + std::to_string(first_text_) + ": it is no JSON");
    for (; texts_ > 1; --texts_) problems_.add("another line is no JSON");
    texts_ = 0;
  }

  Problems& problems_;
  std::ifstream file_;
  std::istream* in_;
  std::deque<std::int64_t> pending_;
  std::int64_t line_number_ = 0;
  std::int64_t unreadable_ = 0;
  bool is_log_ = false;
  std::int64_t records_ = 0;
  std::int64_t texts_ = 0;
  std::int64_t first_text_ = 0;
};

struct ImportCounts {
  std::int64_t imported = 0;
  std::int64_t duplicates = 0;
  std::int64_t refused = 0;
};

std::string already_there(std::int64_t line, std::int64_t id) {
  const std::string which = id == 0 ? "in an earlier line" : std::to_string(id);
  return "line " + std::to_string(line) + ": its delivery has a letter already, " + which + "; not imported";
}

void count(const deadletter::ImportOutcome& outcome, std::int64_t line, ImportCounts& counts,
           Problems& problems) {
  using enum deadletter::ImportOutcome::Place;
  switch (outcome.place) {
    case Imported:
      ++counts.imported;
      return;
    case Duplicate:
      ++counts.duplicates;
      return problems.add(already_there(line, outcome.id));
    case Refused:
      ++counts.refused;
      return problems.add("line " + std::to_string(line) + ": " + tools::printable(outcome.problem));
  }
}

/// Imports them, or reports for each what import would do.
ImportCounts import_all(Command& command, ImportSource& source, Problems& problems, bool& complete) {
  ImportCounts counts;
  const Interruption interruption;
  ProgressLine line(command);
  const auto next = [&] { return source.next(); };
  const auto tell = [&](const deadletter::ImportOutcome& outcome) {
    if (outcome.place != deadletter::ImportOutcome::Place::Imported) line.clear();
    count(outcome, source.take_line(), counts, problems);
  };
  if (command.line().dry_run) {
    const deadletter::Watch watch{
        .progress = [&](const auto& progress) { line.show("to be imported", progress.changed, 0); },
        .stop = [] { return Interruption::requested(); }};
    complete = command.operations().rehearse_import(next, tell, watch).complete;
    return counts;
  }
  const auto progress = run_watched(command, line, "imported", 0, [&](const deadletter::Watch& watch) {
    return command.operations().import(next, tell, watch);
  });
  complete = progress.complete;
  return counts;
}

}  // namespace

ExitStatus run_export(Command& command) {
  const CommandLine& line = command.line();
  const auto filter = command.filter();
  static_cast<void>(command.reader());  // What is wrong with the database leaves no file behind.
  ExportTarget target(command, line.file);
  const Interruption interruption;
  ProgressLine progress(command);
  Problems problems(command);
  std::int64_t exported = 0;
  std::optional<deadletter::Page::Cursor> after;
  do {
    const auto page =
        command.reader().list(filter, kLettersAtOnce, after, deadletter::ListOrder::OldestFirst);
    for (const auto& stored : page.letters) {
      try {
        target.write(to_export_line(stored));
        ++exported;
      } catch (const Error& error) {
        problems.add("letter " + std::to_string(stored.id) +
                     " was not exported: " + tools::printable(error.what(), 500));
      }
    }
    if (target.is_file()) progress.show("exported", exported, 0);
    after = page.next;
  } while (after && target.takes_more() && !Interruption::requested());
  target.finish();
  progress.clear();
  if (!target.takes_more()) return ExitStatus::InputOutput;
  const bool data_on_output = !target.is_file();
  if (line.json && !data_on_output) {
    command.print_json({{"letters", exported}, {"not_exported", problems.count()}, {"file", line.file}});
  } else if (!line.json) {
    const bool whole = exported > 0 && !after;
    command.advise(
        counted(exported, "letter") + " exported." +
        (whole ? " To take them in elsewhere: dead-letters --db FILE import " +
                     (data_on_output ? std::string("-") : tools::printable(tools::shell_word(line.file)))
               : ""));
  }
  if (after) {
    command.warn("stopped: the export is not complete, and nothing was changed");
    return ExitStatus::TryAgain;
  }
  return problems.count() > 0 ? ExitStatus::Data : ExitStatus::Ok;
}

ExitStatus run_import(Command& command) {
  const CommandLine& line = command.line();
  Problems problems(command);
  ImportSource source(command, line.file, problems);
  bool complete = true;
  const auto counts = import_all(command, source, problems, complete);
  const bool has_no_letter = source.unreadable() + source.skipped() > 0 && counts.imported == 0 &&
                             source.unreadable() == problems.count();
  if (line.json) {
    command.print_json({{"dry_run", line.dry_run},
                        {"letters", counts.imported},
                        {"duplicates", counts.duplicates},
                        {"refused", counts.refused + source.unreadable()},
                        {"skipped", source.skipped()},
                        {"complete", complete}});
  } else {
    command.print(
        counted(counts.imported, "letter") + (line.dry_run ? " would be imported" : " imported") + "; " +
        grouped(counts.duplicates) + " there already; " +
        counted(counts.refused + source.unreadable(), "line") + " refused" +
        (source.skipped() > 0 ? "; " + counted(source.skipped(), "other line") + " of a log skipped" : "") +
        ".\n");
    if (!complete)
      command.warn(line.dry_run ? "stopped: the rest of the file was not looked at"
                                : "stopped: the rest was not imported; the same command goes on, past what is"
                                  " there already");
    if (has_no_letter)
      command.warn(
          "none of its lines is a letter; give a file that dead-letters export wrote, or what a service "
          "wrote to standard error");
    if (counts.imported > 0 && !line.dry_run) {
      const bool any_unresolved = count_of(command, {.resolved = false}) > 0;
      command.advise("See them: " + command.self() + " groups" + (any_unresolved ? "" : " --all"));
    }
  }
  if (!complete) return ExitStatus::TryAgain;
  return problems.count() > 0 || has_no_letter ? ExitStatus::Data : ExitStatus::Ok;
}

}  // namespace tidings::dead_letters
