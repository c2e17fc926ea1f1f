#pragma once

#include <tidings/dead_letter.hpp>

#include <cstddef>
#include <vector>

namespace tidings::bench {

/// Letters as a service's would be: 300 bytes of payload and three attempts. They are numbered from `first`.
[[nodiscard]] std::vector<DeadLetter> sample_letters(std::size_t first, std::size_t count);

}  // namespace tidings::bench
