#pragma once

#include <tidings/clock.hpp>

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tidings {

/// The identity of one event: a UUID, kept in binary; text is made only on demand. Ordered as its text is.
class EventId {
 public:
  using Bytes = std::array<std::uint8_t, 16>;

  /// The nil UUID, which no event has.
  constexpr EventId() noexcept = default;
  constexpr explicit EventId(const Bytes& bytes) noexcept : bytes_(bytes) {}

  /// Accepts the 36-character form in either case; returns nullopt for anything else.
  [[nodiscard]] static std::optional<EventId> parse(std::string_view text) noexcept;
  /// 36 lowercase characters.
  [[nodiscard]] std::string to_string() const;
  /// Writes exactly 36 characters, no terminator.
  void write_to(char* out) const noexcept;

  [[nodiscard]] constexpr const Bytes& bytes() const noexcept { return bytes_; }
  [[nodiscard]] constexpr bool is_nil() const noexcept {
    const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);  // comparing bytes is a call
    return (halves[0] | halves[1]) == 0;
  }

  friend constexpr auto operator<=>(const EventId&, const EventId&) noexcept = default;

 private:
  Bytes bytes_{};
};

/// Makes event ids and random numbers. Implementations are thread-safe and never return the same id twice.
class IdSource {
 public:
  IdSource() = default;
  IdSource(const IdSource&) = delete;
  IdSource& operator=(const IdSource&) = delete;
  virtual ~IdSource() = default;

  /// `now` is the event's stamp; a source may embed it.
  [[nodiscard]] virtual EventId next(Timestamp now) noexcept = 0;
  /// Uniform 64-bit numbers, for jitter: random_bits(), unless a test needs others.
  [[nodiscard]] virtual std::uint64_t random() noexcept;
};

/// UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 bits that are random in a new millisecond
/// and count upwards within one, so that ids made by one thread strictly increase, also when the clock steps
/// back. Each thread has a generator of its own, seeded from the operating system; a forked child reseeds.
/// Takes about as long as one clock read.
[[nodiscard]] std::shared_ptr<IdSource> uuid_v7_source();

/// Ids that count 1, 2, 3 ... in the last bytes of a UUIDv7 of the given time, for tests that compare whole
/// records.
[[nodiscard]] std::shared_ptr<IdSource> sequential_id_source();

/// The next random 64 bits of the calling thread's generator: fast, well distributed, not for secrets.
/// A forked child draws other numbers than its parent.
[[nodiscard]] std::uint64_t random_bits() noexcept;

/// Ties together everything one request caused: any 1 to 128 visible ASCII characters (0x21 to 0x7e). An id
/// that is a lowercase UUID is kept in binary, so a fresh one costs no text. Never allocates; copies only
/// what is used.
class CorrelationId {
 public:
  static constexpr std::size_t kMaxLength = 128;

  /// The nil UUID: "not set".
  CorrelationId() noexcept { std::memset(bytes_, 0, kBinaryLength); }
  /// An event's own id, as the correlation id of all that follows from it.
  explicit CorrelationId(const EventId& id) noexcept {
    std::memcpy(bytes_, id.bytes().data(), kBinaryLength);
  }
  CorrelationId(const CorrelationId& other) noexcept { copy(other); }
  CorrelationId& operator=(const CorrelationId& other) noexcept {
    if (this != &other) copy(other);
    return *this;
  }
  ~CorrelationId() = default;

  /// Returns nullopt if `text` is empty, longer than 128 characters, or holds anything but visible ASCII. Ids
  /// from outside are validated here and nowhere else.
  [[nodiscard]] static std::optional<CorrelationId> parse(std::string_view text) noexcept;

  /// As it was given; empty when not set.
  [[nodiscard]] std::string to_string() const;
  /// Whether it is not set.
  [[nodiscard]] bool empty() const noexcept;
  /// The id as a UUID; the nil UUID if it is not set; nullopt if it is any other text.
  [[nodiscard]] std::optional<EventId> uuid() const noexcept {
    if (length_ != 0) return std::nullopt;
    EventId::Bytes bytes{};
    std::memcpy(bytes.data(), bytes_, kBinaryLength);
    return EventId(bytes);
  }

  friend bool operator==(const CorrelationId& left, const CorrelationId& right) noexcept {
    return left.length_ == right.length_ && std::memcmp(left.bytes_, right.bytes_, left.used()) == 0;
  }

 private:
  static constexpr std::size_t kBinaryLength = 16;

  [[nodiscard]] std::size_t used() const noexcept { return length_ == 0 ? kBinaryLength : length_; }
  /// The branch gives the usual copy a length that the compiler knows, so that it takes two instructions.
  void copy(const CorrelationId& other) noexcept {
    length_ = other.length_;
    if (length_ == 0) {
      std::memcpy(bytes_, other.bytes_, kBinaryLength);
    } else {
      std::memcpy(bytes_, other.bytes_, length_);
    }
  }

  std::uint8_t length_ = 0;  // 0: the first 16 bytes are a UUID; otherwise that many characters
  /// Only the used bytes are written or read: clearing the rest would be a large share of the cost of a
  /// publish.
  char bytes_[kMaxLength];
};

}  // namespace tidings

template <>
struct std::hash<tidings::EventId> {
  [[nodiscard]] std::size_t operator()(const tidings::EventId& id) const noexcept {
    std::uint64_t low = 0;
    std::memcpy(&low, id.bytes().data() + 8, 8);
    return static_cast<std::size_t>(low * 0x9e3779b97f4a7c15ULL);
  }
};
