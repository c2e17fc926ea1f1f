#pragma once

#include <tidings/deadletter/reader.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// A letter as export writes it, without the line feed: its event as CloudEvents 1.0 in ASCII JSON, with the
/// letter's own facts as JSON text in the extension attribute `deadletter`. An import restores everything
/// except its number and its marks for redrive. Throws Error(NotEncodable).
[[nodiscard]] std::string to_export_line(const deadletter::StoredLetter& stored);
/// The inverse. Throws Error(NotDecodable) that says what is wrong.
[[nodiscard]] deadletter::StoredLetter from_export_line(std::string_view line);

/// The kind of a line in a file to be imported.
enum class LineKind : std::uint8_t {
  Exported,   ///< What export wrote; or is meant to be.
  Unsaved,    ///< A letter that went to standard error: a record dead_letter_unsaved that holds it.
  LogRecord,  ///< Any other record of a log in JSON.
  Text,       ///< Not JSON at all: a line of a log for people, or not what was meant.
};
[[nodiscard]] LineKind kind_of_line(std::string_view line);

/// The letter of a line of the kind Unsaved. Throws Error(NotDecodable).
[[nodiscard]] deadletter::StoredLetter from_unsaved_line(std::string_view line);

}  // namespace tidings::dead_letters
