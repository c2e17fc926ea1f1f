#pragma once

#include <tidings/event.hpp>

#include <string_view>

namespace tidings::fuzz {

/// Decodes hostile bytes. What is accepted must survive another round through the encoder.
void check_decoding(std::string_view bytes, DataEncoding encoding);

}  // namespace tidings::fuzz
