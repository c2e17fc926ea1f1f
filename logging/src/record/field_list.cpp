#include "record/field_list.hpp"

namespace tidings::logging::detail {

void FieldList::put(std::string_view name, const Value& value) {
  for (Owned& present : fields) {
    if (present.name == name) {
      present.value = value;
      return;
    }
  }
  fields.push_back({std::string(name), value});
}

std::shared_ptr<const FieldList> extended(const FieldList* base, std::span<const Field> fields) {
  auto list = base == nullptr ? std::make_shared<FieldList>() : std::make_shared<FieldList>(*base);
  for (const Field& field : fields) list->put(field.name, field.value);
  return list;
}

}  // namespace tidings::logging::detail
