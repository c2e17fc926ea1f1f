#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace tidings::encryption {

/// Bytes that are locked in memory, left out of core dumps, and wiped when they are freed. Throws
/// std::bad_alloc.
class Secret {
 public:
  explicit Secret(std::size_t size);

  [[nodiscard]] std::span<unsigned char> bytes() noexcept { return {bytes_.get(), size_}; }
  [[nodiscard]] const unsigned char* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.get()), size_};
  }
  /// From now on a write to it ends the process.
  void seal() noexcept;

 private:
  struct Free {
    void operator()(unsigned char* bytes) const noexcept;
  };
  std::unique_ptr<unsigned char, Free> bytes_;
  std::size_t size_;
};

/// To be called before anything else of libsodium's. Throws Error(InvalidArgument) if it cannot be used.
void require_sodium();

}  // namespace tidings::encryption
