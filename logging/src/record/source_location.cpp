#include <tidings/logging/source_location.hpp>

#include <cstddef>

namespace tidings::logging {

std::string_view SourceLocation::short_file() const noexcept {
  if (file == nullptr) return {};
  const std::string_view path(file);
  const std::size_t name = path.rfind('/');
  if (name == std::string_view::npos || name == 0) return path.substr(name + 1);
  const std::size_t before_folder = path.rfind('/', name - 1);
  const std::string_view with_folder = path.substr(before_folder + 1);
  const std::string_view folder = with_folder.substr(0, name - before_folder - 1);
  return folder.empty() || folder == "." || folder == ".." ? path.substr(name + 1) : with_folder;
}

}  // namespace tidings::logging
