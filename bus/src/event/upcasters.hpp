#pragma once

#include "event/payload_keeper.hpp"

#include <tidings/detail/mutex.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tidings::detail {

/// The steps that bring stored JSON of old schema versions up to date. Thread-safe.
class Upcasters {
 public:
  using Step = std::function<Json(Json)>;

  /// Throws Error(InvalidArgument) when there is a step from that version already.
  void add(std::string_view event_type, int from_version, Step step);

  /// The version that data of `version` is brought to for a handler that knows versions up to `known` (0:
  /// any): as far as steps follow one another.
  [[nodiscard]] int reached(std::string_view event_type, int version, int known) const;
  /// Brings it there. Throws Error(NotDecodable) when a step is missing between others, or fails.
  [[nodiscard]] Json bring_up(std::string_view event_type, int version, int known, Json data) const;

 private:
  using Key = std::pair<std::string, int>;
  [[nodiscard]] std::shared_ptr<const Step> step(std::string_view event_type, int version) const;
  [[nodiscard]] bool has_later_step(std::string_view event_type, int version, int known) const;

  mutable Mutex mutex_;
  std::map<Key, std::shared_ptr<const Step>> steps_ TIDINGS_GUARDED_BY(mutex_);
};

/// An event as it was stored, for a handler to be given: decoded and brought up to date when a handler's
/// attempt first asks for it, so that what goes wrong there is a failure of that attempt. Refers to what it
/// was made from.
class StoredData {
 public:
  /// `known_version` is that of the handler's struct; 0 for a handler that takes JSON.
  StoredData(const EncodedData& data, const PayloadOwner& owner, int schema_version, int known_version,
             const Upcasters& upcasters, const PayloadKeeper& payloads)
      : data_(data),
        owner_(owner),
        schema_version_(schema_version),
        known_version_(known_version),
        upcasters_(upcasters),
        payloads_(payloads) {}

  /// Decodes. Throws Error(NotDecodable): there is no data, or none that may be delivered; it is damaged; it
  /// cannot be decrypted; its schema version is newer than the handler's; or an upcaster failed.
  [[nodiscard]] Json decode() const;
  /// What dispatch takes; refers to this object. Its schema version is the one that decoding reaches.
  [[nodiscard]] Payload payload() const;

 private:
  const EncodedData& data_;
  const PayloadOwner owner_;
  const int schema_version_;
  const int known_version_;
  const Upcasters& upcasters_;
  const PayloadKeeper& payloads_;
};

/// An event that was read back from the journal, kept as it was stored.
class RecoveredEvent final : public StoredEvent {
 public:
  RecoveredEvent(StoredForm form, std::string event_type, const EventId& event_id, KeptMetadata&& metadata,
                 int known_version, const Upcasters& upcasters, const PayloadKeeper& payloads)
      : StoredEvent(std::move(metadata)),
        form_(std::move(form)),
        type_(std::move(event_type)),
        stored_(form_.data, {type_, event_id}, form_.schema_version, known_version, upcasters, payloads),
        payload_(stored_.payload()) {}

  [[nodiscard]] Payload payload() const noexcept override { return payload_; }
  [[nodiscard]] const StoredForm* stored_form() const noexcept override { return &form_; }

 private:
  const StoredForm form_;
  const std::string type_;
  const StoredData stored_;
  const Payload payload_;
};

}  // namespace tidings::detail
