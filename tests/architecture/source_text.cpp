#include "architecture/source_text.hpp"

#include <cctype>
#include <cstddef>

namespace tidings::architecture {

namespace {

bool is_word(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '_';
}

/// Reads C++ from left to right, and keeps what is code.
class CodeReader {
 public:
  explicit CodeReader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        skip_line();
      } else if (starts("/*")) {
        skip_past("*/");
      } else if (starts("#") && line_is_empty_) {
        skip_line();
      } else if (starts("R\"") && !follows_word()) {
        skip_raw_literal();
      } else if (starts("\"") || (starts("'") && !follows_word())) {
        skip_literal(text_[at_]);
      } else {
        keep();
      }
    }
    return code_;
  }

 private:
  [[nodiscard]] bool starts(std::string_view part) const { return text_.substr(at_).starts_with(part); }
  /// As a digit separator does.
  [[nodiscard]] bool follows_word() const { return at_ > 0 && is_word(text_[at_ - 1]); }

  void keep() {
    const char character = text_[at_++];
    if (character == '\n') {
      line_is_empty_ = true;
    } else if (std::isspace(static_cast<unsigned char>(character)) == 0) {
      line_is_empty_ = false;
    }
    code_ += character;
  }
  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') at_ += text_[at_] == '\\' ? 2 : 1;
  }
  void skip_past(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size();
  }
  void skip_raw_literal() {
    const std::size_t open = text_.find('(', at_);
    const std::string delimiter(text_.substr(at_ + 2, open - at_ - 2));
    skip_past(")" + delimiter + "\"");
    code_ += "\"\"";
  }
  void skip_literal(char quote) {
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) at_ += text_[at_] == '\\' ? 1 : 0;
    ++at_;
    code_ += {quote, quote};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool line_is_empty_ = true;
  std::string code_;
};

}  // namespace

std::string code_of(std::string_view text) { return CodeReader(text).read(); }

}  // namespace tidings::architecture
