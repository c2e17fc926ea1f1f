#pragma once

#include <tidings/deadletter/reader.hpp>

#include <string>
#include <string_view>

namespace tidings::dead_letters {

/// A letter as export writes it, without the line feed: its event as CloudEvents 1.0 in ASCII JSON, with the
/// letter's own facts as JSON text in the extension attribute `deadletter`. Everything but its number and its
/// marks for redrive comes back. Throws Error(NotEncodable).
[[nodiscard]] std::string to_export_line(const deadletter::StoredLetter& stored);
/// The reverse. Throws Error(NotDecodable) that says what is wrong.
[[nodiscard]] deadletter::StoredLetter from_export_line(std::string_view line);

}  // namespace tidings::dead_letters
