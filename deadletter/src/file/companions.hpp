#pragma once

#include <tidings/deadletter/output_file.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace tidings::deadletter {

/// What the beginning of a regular file says that it is, with its article: a database, a file that SQLite or
/// tidings keeps beside one, or a spill file. Empty: none of these, or it cannot be read. Opens and closes
/// the file, which ends this process's locks on it: not for a process that has a database open.
[[nodiscard]] std::string kind_of_database_file(const std::filesystem::path& path);

/// Throws Error(InvalidArgument) with `why_no_output`. Without `files` only for other databases' names.
void require_output(const char* what_failed, const std::filesystem::path& target, const DatabaseFiles& files);

/// Throws Error(DatabaseUnusable) unless the file is a regular one that nobody can write, or have made, who
/// may not write the database: it belongs to this user, to root or to the database's owner, or to somebody of
/// the group that may write the database, and neither group nor others may write it that may not write the
/// database. A file beside a database that anybody else can write is a way into the database, or out of it.
void require_guarded(const char* what_failed, const std::filesystem::path& path, const struct stat& file,
                     const std::filesystem::path& database);

/// The same for what is beside a database under the names of the files that SQLite writes to.
void require_guarded_companions(const char* what_failed, const std::filesystem::path& database);

}  // namespace tidings::deadletter
