#include <tidings/logging/record.hpp>

#include <algorithm>
#include <bit>

namespace tidings::logging {

namespace detail {

namespace {

constexpr std::array<std::string_view, kReservedCount> kReservedNames = {
    "service",        "environment",    "release",      "host",        "pid",
    "thread",         "correlation_id", "causation_id", "event_id",    "foreign_id",
    "foreign_source", "event_type",     "handler",      "attempt",     "trace_id",
    "span_id",        "error_type",     "error",        "error_chain", "source_file",
    "source_line",    "source_function"};

/// A bit for each of the reserved names that has this first character. Most names of users' fields need no
/// comparison.
constexpr auto kByFirstCharacter = [] {
  std::array<std::uint32_t, 128> names{};
  for (std::size_t index = 0; index < kReservedCount; ++index) {
    names[static_cast<unsigned char>(kReservedNames[index].front())] |= 1U << index;
  }
  return names;
}();

}  // namespace

std::string_view reserved_name(Reserved reserved) noexcept {
  return kReservedNames[static_cast<std::size_t>(reserved)];
}

std::optional<Reserved> find_reserved(std::string_view name) noexcept {
  const auto first = name.empty() ? 0U : static_cast<unsigned char>(name.front());
  if (first >= kByFirstCharacter.size()) return std::nullopt;
  for (std::uint32_t names = kByFirstCharacter[first]; names != 0; names &= names - 1) {
    const auto index = static_cast<std::size_t>(std::countr_zero(names));
    if (name == kReservedNames[index]) return static_cast<Reserved>(index);
  }
  return std::nullopt;
}

}  // namespace detail

bool is_reserved_name(std::string_view name) noexcept {
  return name == "timestamp" || name == "level" || name == "event" || name == "logger" ||
         detail::find_reserved(name).has_value();
}

const Value* Record::find(std::string_view name) const noexcept {
  if (const auto which = detail::find_reserved(name); which && reserved(*which) != nullptr)
    return reserved(*which);
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [name](const Entry& entry) { return entry.name == name; });
  return found == fields_.end() ? nullptr : found->value;
}

void Record::set(std::string_view name, const Value& value) {
  if (const auto* error = std::get_if<std::shared_ptr<const ErrorDescription>>(&value.storage())) {
    set_error(**error);
    rename_collisions();
    return;
  }
  const Owned& owned = own(has_reserved(name) ? free_name(name) : std::string(name), value);
  put({owned.name, &owned.value}, true);
}

bool Record::has_reserved(std::string_view name) const noexcept {
  if (const auto which = detail::find_reserved(name)) return reserved(*which) != nullptr;
  return is_reserved_name(name) && (name != "logger" || !logger_.empty());
}

std::string Record::free_name(std::string_view name) const {
  std::string renamed(name);
  do {
    renamed += "_1";
  } while (
      std::any_of(fields_.begin(), fields_.end(), [&](const Entry& entry) { return entry.name == renamed; }));
  return renamed;
}

void Record::rename_collisions() {
  for (Entry& entry : fields_) {
    if (has_reserved(entry.name)) entry.name = own(free_name(entry.name), Value()).name;
  }
}

bool Record::remove(std::string_view name) noexcept {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [name](const Entry& entry) { return entry.name == name; });
  if (found == fields_.end()) return false;
  fields_.erase(found);
  return true;
}

void Record::put(const Entry& entry, bool replace) {
  for (Entry& present : fields_) {
    if (present.name != entry.name) continue;
    if (replace) present.value = entry.value;
    return;
  }
  fields_.push_back(entry);
}

const Record::Owned& Record::own(std::string name, Value value) {
  owned_.push_back(std::make_unique<Owned>(Owned{std::move(name), std::move(value)}));
  return *owned_.back();
}

void Record::set_error(const ErrorDescription& error) {
  const auto put_reserved = [this](detail::Reserved which, Value value) {
    reserved_[static_cast<std::size_t>(which)] = &own({}, std::move(value)).value;
  };
  put_reserved(detail::Reserved::ErrorType, std::string(error.type));
  put_reserved(detail::Reserved::Error, std::string(error.message));
  reserved_[static_cast<std::size_t>(detail::Reserved::ErrorChain)] = nullptr;
  if (!error.causes.empty()) put_reserved(detail::Reserved::ErrorChain, Json(error.causes));
}

}  // namespace tidings::logging
