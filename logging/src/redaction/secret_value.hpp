#pragma once

#include "redaction/scanned_text.hpp"

namespace tidings::logging {

// Where values begin and end in running text, and whether one looks like a secret.

/// What a masked value begins with.
inline constexpr std::string_view kMasked = "[redacted";

/// A value in quotes: `"x"`, `b'x'`, `Some("x")`, and `\"x\"` or `\\\"x\\\"` in JSON that stands in JSON.
/// The range is that between the quotes, up to the end of the text if they are never closed.
[[nodiscard]] FoundRange quoted_value(const ScannedText& text, std::size_t begin) noexcept;
/// Behind the bracket that closes the one at `begin`; the text's end if none does.
[[nodiscard]] std::size_t bracket_end(const ScannedText& text, std::size_t begin) noexcept;
/// The end of a value that stands in no quotes, at most `limit` further.
[[nodiscard]] std::size_t word_end(const ScannedText& text, std::size_t begin,
                                   std::size_t limit = std::string_view::npos) noexcept;
[[nodiscard]] std::size_t line_end(const ScannedText& text, std::size_t begin) noexcept;

/// The key that stands before a separator or another `end`: `password`, `'x-api-key'`, `\"token\"`,
/// `user[pwd]`. Empty if there is none.
[[nodiscard]] std::string_view key_before(const ScannedText& text, std::size_t end) noexcept;

/// `?`, `$1`, `:name`, `%s`, `${NAME}`, `{name}`: it stands for a value.
[[nodiscard]] bool is_placeholder(std::string_view value) noexcept;
/// `[redacted]`, or stars only: it has been masked already.
[[nodiscard]] bool is_masked(std::string_view value) noexcept;
/// A word as passwords and tokens are, and words of prose are not: letters and digits or symbols, and neither
/// a number with its unit, nor a time, a version, a path, an algorithm or a piece of code. Looks at the
/// beginning of long ones only.
[[nodiscard]] bool looks_secret(std::string_view word, std::size_t least) noexcept;
/// The word without the punctuation of a sentence behind it.
[[nodiscard]] std::string_view without_punctuation(std::string_view word) noexcept;

}  // namespace tidings::logging
