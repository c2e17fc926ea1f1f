#include "keys/secret.hpp"

#include <tidings/error.hpp>

#include <sodium.h>

#include <new>

namespace tidings::encryption {

void require_sodium() {
  if (::sodium_init() < 0)
    throw Error(ErrorCode::InvalidArgument, "libsodium cannot be used: the system gives no random numbers");
}

Secret::Secret(std::size_t size) : bytes_(static_cast<unsigned char*>(::sodium_malloc(size))), size_(size) {
  if (!bytes_) throw std::bad_alloc();
}

void Secret::seal() noexcept { static_cast<void>(::sodium_mprotect_readonly(bytes_.get())); }

void Secret::Free::operator()(unsigned char* bytes) const noexcept { ::sodium_free(bytes); }

}  // namespace tidings::encryption
