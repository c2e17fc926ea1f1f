#pragma once

#include <tidings/detail/mutex.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event.hpp>
#include <tidings/payload_cipher.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidings::detail {

/// An event in memory as JSON or CBOR; without data, and with the reason, if it cannot be encoded.
[[nodiscard]] EncodedData try_to_encode(const Payload& payload);

/// What to do where a key is missing: names the option, and the environment variable and its value.
[[nodiscard]] std::string key_advice();

/// What the structs of one event type ask for together, and PayloadEncryption::types: a struct can add to
/// what others ask for, and take nothing away. Has copies of the names, which a plugin that is unloaded takes
/// along.
struct AtRestRules {
  bool store_payload = true;
  bool encrypt_payload = false;
  std::vector<std::string> masked_fields = {};
  std::vector<std::string> hashed_fields = {};

  void add(const AtRest& more);
  [[nodiscard]] bool replaces_fields() const noexcept {
    return !masked_fields.empty() || !hashed_fields.empty();
  }
};

/// Where payloads are given the form in which they are stored, as their types ask for it (AtRest), and get
/// their own back. Thread-safe.
///
/// What a struct says holds for its type's name too, from the first subscription to it on: for events that
/// are published as JSON, and for those that were read back from storage.
class PayloadKeeper {
 public:
  /// Throws Error(InvalidArgument) for a name that no type can have.
  explicit PayloadKeeper(const PayloadEncryption& encryption);

  /// What a type lacks for what it asks for.
  enum class Lacks : std::uint8_t {
    Nothing,
    KeyForLetters,  ///< Letters have nothing in the place of its hashed fields.
    Key,            ///< The journal has it encrypted: nothing of it can be delivered.
  };
  /// Called at each subscription.
  Lacks remember(std::string_view event_type, const PayloadType& type);

  /// For the journal. Throws Error(NotEncodable), and std::bad_alloc.
  [[nodiscard]] EncodedData for_journal(const Payload& payload, const EventId& event_id) const;
  /// For a letter; without data, and with the reason, if it cannot be kept. Throws std::bad_alloc alone.
  [[nodiscard]] EncodedData for_letter(const Payload& payload, const EventId& event_id) const;
  /// For a letter of an event that was stored before. What was encrypted with an older key is encrypted with
  /// the first one. What cannot be encrypted stays as it was stored; of what cannot be masked nothing is
  /// left. Throws std::bad_alloc alone.
  [[nodiscard]] EncodedData for_letter(EncodedData stored, const Payload& payload,
                                       const EventId& event_id) const;
  [[nodiscard]] EncodedData for_letter(EncodedData stored, std::string_view event_type,
                                       const EventId& event_id) const;
  /// What was encrypted, in JSON or CBOR. Throws Error(NotDecodable) if it cannot be had.
  [[nodiscard]] EncodedData decrypted(const EncodedData& data, const PayloadOwner& owner) const;

 private:
  [[nodiscard]] AtRestRules rules_of(const Payload& payload) const;
  [[nodiscard]] AtRestRules rules_of(std::string_view event_type) const;
  [[nodiscard]] EncodedData restored(EncodedData stored, const AtRestRules& rules,
                                     const PayloadOwner& owner) const;
  [[nodiscard]] EncodedData with_fields_replaced(const EncodedData& plain, const AtRestRules& rules) const;
  [[nodiscard]] EncodedData kept(EncodedData plain, const AtRestRules& rules,
                                 const PayloadOwner& owner) const;
  [[nodiscard]] bool is_under_an_older_key(const EncodedData& data) const;

  const std::shared_ptr<const PayloadCipher> cipher_;
  mutable Mutex mutex_;
  std::map<std::string, AtRestRules, std::less<>> by_type_ TIDINGS_GUARDED_BY(mutex_);
  /// Whether `by_type_` has anything: most buses never look.
  std::atomic<bool> any_{false};
};

}  // namespace tidings::detail
