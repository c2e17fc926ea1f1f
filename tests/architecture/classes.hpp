#pragma once

#include "architecture/tree.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace tidings::architecture {

/// What a class has, nested ones apart.
struct ClassFacts {
  /// With the classes around it, without namespaces: `Outer::Inner`.
  std::string name;
  /// Where its body is.
  std::string path;
  /// Declared ones, constructors and static ones too, but for those that are defaulted or deleted.
  std::size_t methods = 0;
  /// But for static ones.
  std::size_t fields = 0;
  /// The .cpp files of its module that define members of it.
  std::set<std::string> defined_in = {};
};

/// The classes that the files of one module define. Read by their form, without a compiler: names made by
/// macros are overlooked.
[[nodiscard]] std::vector<ClassFacts> classes_of(const std::vector<TreeFile>& files);
/// Those of all modules of the tree.
[[nodiscard]] std::vector<ClassFacts> classes_of_modules();

}  // namespace tidings::architecture
