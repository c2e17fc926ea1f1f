#include "logging/corpus.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace tidings::logging {

namespace {

constexpr std::string_view kBrokenBar = "\xc2\xa6";
constexpr std::string_view kLineEnd = "\xe2\x90\xa4";

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::vector<std::string> lines_of(const char* name) {
  std::ifstream file(std::filesystem::path(TIDINGS_REDACTION_CORPUS) / name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#\n") || line == "#" || line.starts_with("# ")) continue;
    replace_all(line, kBrokenBar, "");
    replace_all(line, kLineEnd, "\n");
    lines.push_back(std::move(line));
  }
  if (lines.empty()) throw std::runtime_error(std::string("the corpus has no lines in ") + name);
  return lines;
}

}  // namespace

std::vector<SecretLine> secret_lines() {
  std::vector<SecretLine> lines;
  for (const std::string& line : lines_of("secrets.txt")) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) throw std::runtime_error("no secret before a tab: " + line);
    lines.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return lines;
}

std::vector<std::string> innocent_lines() { return lines_of("innocent.txt"); }

}  // namespace tidings::logging
