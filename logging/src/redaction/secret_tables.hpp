#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tidings::logging {

// What secrets look like: all names, words and shapes that redaction knows stand here.

/// The keys that RedactorOptions denies by default, and those that the personal-data profile adds.
[[nodiscard]] std::span<const std::string_view> secret_keys() noexcept;
[[nodiscard]] std::span<const std::string_view> personal_keys() noexcept;

/// Words that follow `password: ` or `token is` in messages about them (`expired`, `must`), and values that
/// hide nothing (`null`, `YES`). Any case.
[[nodiscard]] bool says_no_secret(std::string_view word) noexcept;
/// `true`, `null`, `YES` ...: what a value is when there is none.
[[nodiscard]] bool is_empty_value(std::string_view word) noexcept;

/// Names in the query of a URL whose values grant access: `sig`, `X-Amz-Signature` ...
[[nodiscard]] bool signs_url(std::string_view key) noexcept;
/// Names there that grant access if the value looks like a token: `key`, `code` ...
[[nodiscard]] bool may_grant_access(std::string_view key) noexcept;

/// Members that hold the name of something: {"name": "password", ...}; and those that hold what it is.
[[nodiscard]] bool is_name_member(std::string_view key) noexcept;
[[nodiscard]] bool is_value_member(std::string_view key) noexcept;

/// What the characters after a token's prefix may be.
enum class TokenCharacters : std::uint8_t { AlphaNumeric, Word, Upper, Hex, Crypt };

/// A provider's token: `prefix`, then at least `length` of `characters`.
struct TokenShape {
  std::string_view prefix;
  std::size_t length;
  TokenCharacters characters = TokenCharacters::AlphaNumeric;
};
/// Those whose prefix has `anchor` at its end (of AKIA, ASIA and AIza: at its `I`).
[[nodiscard]] std::span<const TokenShape> token_shapes(char anchor) noexcept;

/// URLs whose path is a secret: what follows is masked.
[[nodiscard]] std::span<const std::string_view> secret_paths() noexcept;

}  // namespace tidings::logging
