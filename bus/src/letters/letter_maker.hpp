#pragma once

#include "queue/delivery.hpp"

#include <tidings/dead_letter.hpp>
#include <tidings/detail/stored_event.hpp>
#include <tidings/event_context.hpp>
#include <tidings/journal.hpp>
#include <tidings/metadata.hpp>

#include <string>
#include <string_view>

namespace tidings::detail {

// Letters from what is known of a delivery: functions of their arguments alone. May throw std::bad_alloc.

/// An event in memory as it is stored; without data, and with the reason, if it cannot be encoded.
[[nodiscard]] EncodedData try_to_encode(const Payload& payload);
/// The same for a letter, which waits for memory, and keeps no data of a type that opts out.
[[nodiscard]] EncodedData encode_for_letter(const Payload& payload);

/// For a letter that fails here.
[[nodiscard]] FailingProcess this_process();

/// `state` is what a delivery remembers of its past; null if there is nothing.
[[nodiscard]] DeadLetter make_letter(const HandlerIdentity& handler, std::string_view event_type,
                                     StoredForm form, const Metadata& metadata, Reason reason,
                                     Timestamp failed_at, const DeliveryState* state);

/// From what the journal has of a delivery, without anything being decoded.
[[nodiscard]] DeadLetter make_letter(const OwedDelivery& row, const std::string& service, Reason reason,
                                     Timestamp failed_at);

}  // namespace tidings::detail
