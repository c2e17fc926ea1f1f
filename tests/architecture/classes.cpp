#include "architecture/classes.hpp"

#include "architecture/inclusions.hpp"
#include "architecture/source_text.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <regex>
#include <string_view>
#include <utility>

namespace tidings::architecture {

namespace {

bool is_space(char character) { return std::isspace(static_cast<unsigned char>(character)) != 0; }

std::string trimmed(std::string text) {
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  while (!text.empty() && is_space(text.back())) text.pop_back();
  return text;
}

/// A declaration without attributes, annotations and `template <...>`.
std::string bare(const std::string& declaration) {
  static const std::regex noise(
      R"(\[\[[^\]]*\]\]|\b(alignas|decltype|noexcept|TIDINGS_\w+|__attribute__)\s*\(\))");
  std::string text = trimmed(std::regex_replace(declaration, noise, " "));
  while (text.starts_with("template")) {
    int depth = 0;
    const auto end = std::find_if(text.begin(), text.end(), [&](char each) {
      depth += each == '<' ? 1 : (each == '>' ? -1 : 0);
      return each == '>' && depth == 0;
    });
    text = end == text.end() ? "" : trimmed(std::string(end + 1, text.end()));
  }
  return text;
}

/// The place of the first of `characters` outside angle brackets.
std::size_t find_outside(const std::string& text, std::string_view characters) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (depth == 0 && characters.find(text[at]) != std::string_view::npos) return at;
    depth += text[at] == '<' ? 1 : (text[at] == '>' && depth > 0 ? -1 : 0);
  }
  return std::string::npos;
}

bool is_function(const std::string& declaration) {
  static const std::regex is_operator(R"(\boperator\b)");
  if (std::regex_search(declaration, is_operator)) return true;
  const std::size_t first = find_outside(declaration, "(={");
  return first != std::string::npos && declaration[first] == '(';
}

/// `Outer` of a declaration that defines `Outer::member(...)`.
std::optional<std::string> class_of_member(const std::string& declaration) {
  static const std::regex member(R"(([\w:]*\w)(?:<[^<>]*>)?::(?:~?\w+|operator.*)\s*$)");
  const std::size_t name_end =
      std::min(declaration.find("operator") == std::string::npos ? std::string::npos
                                                                 : declaration.find("operator") + 8,
               find_outside(declaration, "("));
  const std::string name = declaration.substr(0, name_end);
  std::smatch match;
  if (!std::regex_search(name, match, member)) return std::nullopt;
  return match[1].str();
}

/// The name of the class whose body is about to begin.
std::optional<std::string> class_name(const std::string& head) {
  static const std::regex type(
      R"(^(?:class|struct|union)\s+([\w:]+)\s*(?:<[^{]*>)?\s*(?:final)?\s*(?::[^:][^{]*)?$)");
  std::smatch match;
  const std::string text = bare(head);
  if (!std::regex_match(text, match, type)) return std::nullopt;
  return match[1].str();
}

class ClassReader {
 public:
  explicit ClassReader(const TreeFile& file) : path_(file.path), code_(code_of(file.text)) {
    while (at_ < code_.size()) {
      read_scope("", nullptr);
      ++at_;
    }
  }

  std::vector<ClassFacts> classes;
  /// Classes whose members are defined outside their bodies.
  std::set<std::string> members_of;

 private:
  /// Reads declarations up to the end of the scope, of which it takes note in `facts`, if it is a class.
  void read_scope(const std::string& outer, ClassFacts* facts) {
    std::string head;
    while (at_ < code_.size() && code_[at_] != '}') {
      const char character = code_[at_];
      if (character == ';') {
        ++at_;
        note(std::exchange(head, {}), facts);
      } else if (character == '(') {
        skip_balanced('(', ')');
        head += "()";
      } else if (character == '{') {
        read_braces(outer, head, facts);
      } else {
        head += character;
        ++at_;
        if (is_label(head)) head.clear();
      }
    }
  }

  void read_braces(const std::string& outer, std::string& head, ClassFacts* facts) {
    static const std::regex name_space(R"(^(inline\s+)?namespace\b.*|^extern "".*)");
    const auto name = class_name(head);
    if (std::regex_match(trimmed(head), name_space)) {
      ++at_;
      read_scope(outer, nullptr);
      ++at_;
      head.clear();
    } else if (name) {
      read_class(outer.empty() ? *name : outer + "::" + *name);
      head = "struct";
    } else {
      skip_balanced('{', '}');
      head += "{}";
      // More of a constructor's initialisers may follow, and then its body.
      const bool goes_on = next_visible() == ',' || next_visible() == '{';
      if (is_function(bare(head)) && !goes_on) note(std::exchange(head, {}), facts);
    }
  }
  void read_class(const std::string& name) {
    ClassFacts facts{.name = name, .path = path_};
    ++at_;
    read_scope(name, &facts);
    ++at_;
    classes.push_back(std::move(facts));
  }

  void note(const std::string& head, ClassFacts* facts) {
    static const std::regex no_member(R"(^(friend|using|typedef|static_assert|enum|class|struct|union)\b.*)");
    static const std::regex no_body(R"(.*=\s*(default|delete)\s*$)");
    static const std::regex is_static(R"(.*\bstatic\b.*)");
    std::string text = bare(head);
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.empty() || std::regex_match(text, no_member)) return;
    if (facts == nullptr) {
      if (const auto name = is_function(text) ? class_of_member(text) : std::nullopt)
        members_of.insert(*name);
    } else if (is_function(text)) {
      facts->methods += std::regex_match(text, no_body) ? 0U : 1U;
    } else if (!std::regex_match(text, is_static)) {
      facts->fields += declarators(text);
    }
  }

  static std::size_t declarators(std::string text) {
    std::size_t count = 1;
    for (std::size_t comma = 0; (comma = find_outside(text, ",")) != std::string::npos; ++count)
      text.erase(0, comma + 1);
    return count;
  }
  static bool is_label(const std::string& head) {
    static const std::regex label(R"(\s*(public|private|protected)\s*:)");
    return head.back() == ':' && std::regex_match(head, label);
  }
  [[nodiscard]] char next_visible() const {
    const std::size_t at = code_.find_first_not_of(" \n\t", at_);
    return at == std::string::npos ? '\0' : code_[at];
  }
  void skip_balanced(char open, char close) {
    int depth = 0;
    do {
      depth += code_[at_] == open ? 1 : (code_[at_] == close ? -1 : 0);
      ++at_;
    } while (depth > 0 && at_ < code_.size());
  }

  const std::string path_;
  const std::string code_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<ClassFacts> classes_of(const std::vector<TreeFile>& files) {
  std::vector<ClassFacts> classes;
  std::vector<std::pair<std::string, std::string>> members;  // class, file
  for (const TreeFile& file : files) {
    if (!file.is_source()) continue;
    ClassReader reader(file);
    classes.insert(classes.end(), reader.classes.begin(), reader.classes.end());
    for (const std::string& name : reader.members_of) members.emplace_back(name, file.path);
  }
  for (ClassFacts& facts : classes) {
    for (const auto& [name, path] : members) {
      const bool is_its = name == facts.name || name.ends_with("::" + facts.name);
      const bool may_be = facts.path.ends_with(".hpp") || path == facts.path;
      if (is_its && may_be && path.ends_with(".cpp")) facts.defined_in.insert(path);
    }
  }
  return classes;
}

std::vector<ClassFacts> classes_of_modules() {
  std::map<std::string, std::vector<TreeFile>> modules;
  for (const TreeFile& file : tree_files()) {
    const std::string module = module_of(file.path);
    if (module != "tests" && module != "bench" && module != "examples") modules[module].push_back(file);
  }
  std::vector<ClassFacts> classes;
  for (const auto& [module, files] : modules) {
    const auto found = classes_of(files);
    classes.insert(classes.end(), found.begin(), found.end());
  }
  return classes;
}

}  // namespace tidings::architecture
