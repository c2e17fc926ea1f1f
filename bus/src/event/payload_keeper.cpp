#include "event/payload_keeper.hpp"

#include <tidings/detail/patiently.hpp>
#include <tidings/detail/what_of.hpp>
#include <tidings/error.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/text.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace tidings::detail {

namespace {

constexpr std::size_t kMaxProblemBytes = 4096;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr const char* kToJsonFailed = "to_json failed: ";
constexpr const char* kMask = "[masked]";

EncodedData unkept(std::string problem) { return {"", DataEncoding::None, std::move(problem)}; }

bool is_plain(const EncodedData& data) noexcept {
  return data.encoding == DataEncoding::Json || data.encoding == DataEncoding::Cbor;
}

[[noreturn]] void refuse_durable(std::string_view event_type, const std::string& what) {
  throw Error(ErrorCode::NotEncodable, "event type '" + std::string(event_type) + "' " + what);
}

/// Nothing has a place in an array that is no number for a computer.
bool has(const Json& payload, const Json::json_pointer& place) {
  try {
    return payload.contains(place);
  } catch (const Json::exception&) {
    return false;
  }
}

/// One of the fields, if the payload has it.
template <class Replacement>
void replace_field(Json& payload, const std::string& pointer, const Replacement& replacement) {
  const Json::json_pointer place(pointer);
  if (!has(payload, place)) return;
  Json& field = payload.at(place);
  field = replacement(field);
}

void add_to(std::string& list, const char* what, const std::vector<std::string>& pointers) {
  for (const std::string& pointer : pointers) {
    list += list.empty() ? what : pointer == pointers.front() ? std::string("; ") + what : ", ";
    list += pointer;
  }
}

void add_new(std::vector<std::string>& pointers, std::span<const std::string_view> more) {
  for (const std::string_view pointer : more) {
    if (std::find(pointers.begin(), pointers.end(), pointer) == pointers.end())
      pointers.emplace_back(pointer);
  }
}

}  // namespace

std::string key_advice() {
  const char* const file = std::getenv("TIDINGS_KEY_FILE");  // NOLINT(concurrency-mt-unsafe): only read
  const bool is_set = file != nullptr && *file != '\0';
  return "set StoreOptions::encryption, such as to FileCipher::open_from_environment(), which reads the file "
         "that TIDINGS_KEY_FILE names (" +
         (is_set ? "now " + logging::sanitize_text(file, kMaxPathBytes) : std::string("it is not set")) + ")";
}

EncodedData try_to_encode(const Payload& payload) {
  try {
    return encode_data(payload.type->encode(payload.object));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    return unkept(logging::printable_error(std::string(kToJsonFailed) + what_of(error), kMaxProblemBytes));
  } catch (...) {
    return unkept("to_json threw something that is not a std::exception");
  }
}

void AtRestRules::add(const AtRest& more) {
  store_payload = store_payload && more.store_payload;
  encrypt_payload = encrypt_payload || more.encrypt_payload;
  add_new(masked_fields, more.masked_fields);
  add_new(hashed_fields, more.hashed_fields);
}

PayloadKeeper::PayloadKeeper(const PayloadEncryption& encryption) : cipher_(encryption.cipher) {
  const MutexLock lock(mutex_);
  for (const std::string& name : encryption.types) {
    validate_name(name, "event type in PayloadEncryption::types");
    by_type_[name].encrypt_payload = true;
  }
  any_.store(!by_type_.empty());
}

PayloadKeeper::Lacks PayloadKeeper::remember(std::string_view event_type, const PayloadType& type) {
  if (!type.at_rest.is_usual()) {
    const MutexLock lock(mutex_);
    by_type_.try_emplace(std::string(event_type)).first->second.add(type.at_rest);
    any_.store(true);
  }
  if (cipher_ || !any_.load(std::memory_order_acquire)) return Lacks::Nothing;
  const AtRestRules rules = rules_of(event_type);
  if (rules.encrypt_payload) return Lacks::Key;
  return rules.store_payload && !rules.hashed_fields.empty() ? Lacks::KeyForLetters : Lacks::Nothing;
}

AtRestRules PayloadKeeper::rules_of(std::string_view event_type) const {
  if (!any_.load(std::memory_order_acquire)) return {};
  const MutexLock lock(mutex_);
  const auto found = by_type_.find(event_type);
  return found == by_type_.end() ? AtRestRules{} : found->second;
}

AtRestRules PayloadKeeper::rules_of(const Payload& payload) const {
  AtRestRules rules = rules_of(payload.event_type);
  rules.add(payload.type->at_rest);
  return rules;
}

EncodedData PayloadKeeper::for_journal(const Payload& payload, const EventId& event_id) const {
  const AtRestRules rules = rules_of(payload);
  if (!rules.store_payload) {
    refuse_durable(payload.event_type,
                   "opts out of payload storage (store_payload = false), so it cannot be durable; nothing "
                   "was delivered");
  }
  if (rules.encrypt_payload && !cipher_) {
    refuse_durable(
        payload.event_type,
        "is stored encrypted (encrypt_payload = true), and there is no key, so it cannot be durable: " +
            key_advice() + "; nothing was delivered");
  }
  EncodedData data = try_to_encode(payload);
  if (data.encoding == DataEncoding::None) {
    throw Error(ErrorCode::NotEncodable, "the event cannot be kept in the journal, nothing was delivered: " +
                                             logging::sanitize_text(data.problem, 1000));
  }
  if (!rules.encrypt_payload) return data;
  return cipher_->encrypt(data, {payload.event_type, event_id});
}

EncodedData PayloadKeeper::for_letter(const Payload& payload, const EventId& event_id) const {
  const AtRestRules rules = rules_of(payload);
  if (!rules.store_payload) {
    return unkept("the event type opts out of payload storage (store_payload = false): cannot be redriven");
  }
  if (rules.encrypt_payload && !cipher_ && !rules.replaces_fields())
    return unkept(std::string(kUnkeptWithoutKey));
  try {
    return with_some_patience([&] {
      EncodedData plain = try_to_encode(payload);
      if (plain.encoding == DataEncoding::None) return plain;
      return kept(std::move(plain), rules, {payload.event_type, event_id});
    });
  } catch (const std::bad_alloc& error) {
    return unkept(std::string(kToJsonFailed) + what_of(error));
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    return unkept(logging::printable_error(what_of(error), kMaxProblemBytes));
  } catch (...) {
    return unkept("the cipher threw something that is no std::exception");
  }
}

/// Masks win over encryption: what is left can be read without the key.
EncodedData PayloadKeeper::kept(EncodedData plain, const AtRestRules& rules,
                                const PayloadOwner& owner) const {
  if (rules.replaces_fields()) return with_fields_replaced(plain, rules);
  return rules.encrypt_payload ? cipher_->encrypt(plain, owner) : std::move(plain);
}

EncodedData PayloadKeeper::with_fields_replaced(const EncodedData& plain, const AtRestRules& rules) const {
  Json payload = decode_data(plain.bytes, plain.encoding);
  const auto mask = [](const Json&) { return Json(kMask); };
  const auto hash = [&](const Json& field) {
    return cipher_ ? Json(cipher_->fingerprint(field.dump(-1, ' ', true, Json::error_handler_t::replace)))
                   : Json(kMask);
  };
  for (const std::string& pointer : rules.hashed_fields) replace_field(payload, pointer, hash);
  for (const std::string& pointer : rules.masked_fields) replace_field(payload, pointer, mask);
  // What JSON cannot say is lost: nothing is delivered from it any more.
  EncodedData data{payload.dump(-1, ' ', false, Json::error_handler_t::replace), DataEncoding::Masked, ""};
  add_to(data.problem, "masked: ", rules.masked_fields);
  add_to(data.problem, cipher_ ? "hashed: " : "masked for want of a key: ", rules.hashed_fields);
  return data;
}

EncodedData PayloadKeeper::for_letter(EncodedData stored, const Payload& payload,
                                      const EventId& event_id) const {
  return restored(std::move(stored), rules_of(payload), {payload.event_type, event_id});
}

EncodedData PayloadKeeper::for_letter(EncodedData stored, std::string_view event_type,
                                      const EventId& event_id) const {
  return restored(std::move(stored), rules_of(event_type), {event_type, event_id});
}

EncodedData PayloadKeeper::restored(EncodedData stored, const AtRestRules& rules,
                                    const PayloadOwner& owner) const {
  const bool is_new = stored.encoding == DataEncoding::None || stored.encoding == DataEncoding::Masked;
  const bool encrypts =
      cipher_ && ((rules.encrypt_payload && is_plain(stored)) || is_under_an_older_key(stored));
  if (is_new || !(rules.replaces_fields() || encrypts)) return stored;
  try {
    EncodedData plain = decrypted(stored, owner);
    if (rules.replaces_fields()) return with_fields_replaced(plain, rules);
    return cipher_->encrypt(plain, owner);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    if (!rules.replaces_fields() || !is_plain(stored)) return stored;
    // Not without data: what a bus cannot encode stays owed, and this would be met again and again. The error
    // is that of a parser, which quotes what it reads.
    return {Json(kMask).dump(), DataEncoding::Masked, "masked: all of it, as it cannot be read"};
  }
}

bool PayloadKeeper::is_under_an_older_key(const EncodedData& data) const {
  if (data.encoding != DataEncoding::Encrypted) return false;
  const auto envelope = parse_envelope(data.bytes);
  return envelope && envelope->key_id != cipher_->writing_key();
}

EncodedData PayloadKeeper::decrypted(const EncodedData& data, const PayloadOwner& owner) const {
  if (data.encoding != DataEncoding::Encrypted) return data;
  if (cipher_) return cipher_->decrypt(data.bytes, owner);
  throw Error(ErrorCode::NotDecodable, "stored '" + std::string(owner.event_type) + "' is " +
                                           describe_encrypted(data) +
                                           ", and there is no key: " + key_advice() + ", then redrive");
}

}  // namespace tidings::detail
