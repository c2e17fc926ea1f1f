#include "examples/service_run.hpp"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace webhooks {
namespace {

std::string content_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return {};
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

WorkFolder::WorkFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tidings-examples-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the folder " + name);
  path_ = name;
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path WorkFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name) << text;
  return path_ / name;
}

std::string shell_word(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

ServiceRun run_service(const WorkFolder& folder, const std::string& arguments) {
  const std::string command = "'" TIDINGS_WEBHOOKS "' --db " + shell_word(folder / "webhooks.db") +
                              " --log " + shell_word(folder / "log") + " --summary " +
                              shell_word(folder / "summary") + " " + arguments + " >" +
                              shell_word(folder / "output") + " 2>" + shell_word(folder / "messages");
  const int result = std::system(command.c_str());
  ServiceRun run;
  run.status = WIFEXITED(result) ? WEXITSTATUS(result) : -1;
  run.output = content_of(folder / "output");
  run.messages = content_of(folder / "messages");
  run.summary = nlohmann::json::parse(content_of(folder / "summary"), nullptr, false);
  run.log = content_of(folder / "log");
  return run;
}

}  // namespace webhooks
