#pragma once

#include <tidings/deadletter/output_file.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// The kind of a regular file by its first bytes, with its article: a database, a file that SQLite or tidings
/// keeps beside one, or a spill file. Empty if it is none of these, or cannot be read. Opens and closes the
/// file, which releases this process's locks on it: not for a process that has a database open.
[[nodiscard]] std::string kind_of_database_file(const std::filesystem::path& path);

/// Throws Error(InvalidArgument) with `why_no_output`. Without `files` only for other databases' names.
void require_output(const char* what_failed, const std::filesystem::path& target, const DatabaseFiles& files);

/// Throws Error(DatabaseUnusable) unless the file is a regular one that only users who may write the database
/// can have made or can write: it belongs to this user, to root, to the database's owner, or to a member of
/// the group that may write the database, and group and others may write it only if they may write the
/// database. A file beside a database that any other user can write is a way into the database, or out of it.
void require_guarded(const char* what_failed, const std::filesystem::path& path, const struct stat& file,
                     const std::filesystem::path& database);

/// The same for the files beside a database under the names to which SQLite writes.
void require_guarded_companions(const char* what_failed, const std::filesystem::path& database);

}  // namespace tidings::deadletter
