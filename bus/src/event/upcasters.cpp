#include "event/upcasters.hpp"

#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>

#include <cxxabi.h>

#include <exception>
#include <new>

namespace tidings::detail {

namespace {

Json decode_plain(const EncodedData& data) { return decode_data(data.bytes, data.encoding); }

[[noreturn]] void refuse_upcast(std::string_view event_type, const std::string& what) {
  throw Error(ErrorCode::NotDecodable, "stored '" + std::string(event_type) + "' " + what);
}

/// Stored data is dispatched as any event is; only what concerns JSON is ever asked of it.
constexpr PayloadType kStoredDataType{
    [](const void* object) -> Json { return static_cast<const StoredData*>(object)->decode(); },
    nullptr,
    nullptr,
    {}};

}  // namespace

void Upcasters::add(std::string_view event_type, int from_version, Step step) {
  const MutexLock lock(mutex_);
  const auto [entry, is_new] =
      steps_.try_emplace(Key(event_type, from_version), std::make_shared<const Step>(std::move(step)));
  if (is_new) return;
  throw Error(ErrorCode::InvalidArgument, "'" + std::string(event_type) + "' has an upcaster from version " +
                                              std::to_string(from_version) + " already");
}

std::shared_ptr<const Upcasters::Step> Upcasters::step(std::string_view event_type, int version) const {
  const MutexLock lock(mutex_);
  const auto found = steps_.find(Key(event_type, version));
  return found == steps_.end() ? nullptr : found->second;
}

bool Upcasters::has_later_step(std::string_view event_type, int version, int known) const {
  const MutexLock lock(mutex_);
  const auto later = steps_.upper_bound(Key(event_type, version));
  return later != steps_.end() && later->first.first == event_type &&
         (known == 0 || later->first.second < known);
}

int Upcasters::reached(std::string_view event_type, int version, int known) const {
  while ((known == 0 || version < known) && step(event_type, version)) ++version;
  return version;
}

Json Upcasters::bring_up(std::string_view event_type, int version, int known, Json data) const {
  for (; known == 0 || version < known; ++version) {
    const auto next = step(event_type, version);
    if (!next) break;
    const std::string name =
        "cannot be brought up to date: the upcaster from version " + std::to_string(version);
    try {
      data = (*next)(std::move(data));
    } catch (const std::bad_alloc&) {
      throw;  // says nothing about the data
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (const std::exception& error) {
      refuse_upcast(event_type, name + " failed: " + what_of(error));
    } catch (...) {
      refuse_upcast(event_type, name + " threw something that is not a std::exception");
    }
  }
  if ((known == 0 || version < known) && has_later_step(event_type, version, known)) {
    refuse_upcast(event_type, "cannot be brought up to date: there is no upcaster from version " +
                                  std::to_string(version) +
                                  ", though there is one from a later version; add it");
  }
  return data;
}

Json StoredData::decode() const {
  if (known_version_ != 0 && schema_version_ > known_version_) {
    refuse_upcast(owner_.event_type, "has schema version " + std::to_string(schema_version_) +
                                         ", and this handler knows versions up to " +
                                         std::to_string(known_version_) +
                                         "; deploy the newer service, then redrive");
  }
  if (data_.encoding == DataEncoding::None) {
    refuse_upcast(owner_.event_type,
                  "has no payload: " + (data_.problem.empty() ? "it was not kept" : data_.problem));
  }
  if (data_.encoding == DataEncoding::Masked) {
    refuse_upcast(owner_.event_type, "has no whole payload (" + data_.problem +
                                         "): a letter whose fields are masked cannot be delivered again");
  }
  const bool encrypted = data_.encoding == DataEncoding::Encrypted;
  Json value = encrypted ? decode_plain(payloads_.decrypted(data_, owner_)) : decode_plain(data_);
  return upcasters_.bring_up(owner_.event_type, schema_version_, known_version_, std::move(value));
}

Payload StoredData::payload() const {
  return {this, &kStoredDataType, owner_.event_type,
          upcasters_.reached(owner_.event_type, schema_version_, known_version_)};
}

}  // namespace tidings::detail
