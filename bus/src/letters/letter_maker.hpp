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

/// For a letter that fails here.
[[nodiscard]] FailingProcess this_process();

/// `state` is what a delivery remembers of its past; null if there is nothing.
[[nodiscard]] DeadLetter make_letter(const HandlerIdentity& handler, std::string_view event_type,
                                     StoredForm form, const Metadata& metadata, Reason reason,
                                     Timestamp failed_at, const DeliveryState* state);

/// From what the journal has of a delivery; `data` is its payload as letters keep it.
[[nodiscard]] DeadLetter make_letter(const OwedDelivery& row, EncodedData data, const std::string& service,
                                     Reason reason, Timestamp failed_at);

}  // namespace tidings::detail
