#include "line_reader.hpp"

#include <string>

namespace webhooks {

std::optional<Line> LineReader::next() {
  using Characters = std::istream::traits_type;
  if (input_.peek() == Characters::eof()) return std::nullopt;
  Line line{.number = ++lines_, .text = {}};
  for (int next = input_.get(); next != Characters::eof() && next != '\n'; next = input_.get()) {
    if (line.text.size() < max_bytes_) {
      line.text.push_back(Characters::to_char_type(next));
    } else {
      line.too_long = true;
    }
  }
  return line;
}

}  // namespace webhooks
