#pragma once

#include <tidings/detail/stored_event.hpp>
#include <tidings/event.hpp>

#include <exception>
#include <string>

namespace tidings::detail {

/// Where JSON does not fit a struct, and what was expected and found there: `at /customer/age: number
/// expected, string found`. Never a value. Empty where that cannot be found out: `error` is not what
/// nlohmann's library throws for a value of another kind or for a missing key, or the JSON is too large to be
/// searched.
///
/// The library does not say where. So each value of the kind that it complains of is replaced in turn, and
/// the one whose replacement it complains of instead is the one.
[[nodiscard]] std::string describe_misfit(const Json& data, const PayloadType& type,
                                          const std::exception_ptr& error);

}  // namespace tidings::detail
