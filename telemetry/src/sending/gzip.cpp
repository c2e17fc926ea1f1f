#include "sending/gzip.hpp"

#include <zlib.h>

#include <limits>
#include <new>
#include <stdexcept>

namespace tidings::telemetry {
namespace {

constexpr int kWindowBits = 15 + 16;  // 16: with gzip's header and end
constexpr int kMemoryLevel = 8;       // zlib's default

/// Ends the stream, however the scope is left.
struct Deflation {
  Deflation() {
    if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowBits, kMemoryLevel,
                       Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  Deflation(const Deflation&) = delete;
  Deflation& operator=(const Deflation&) = delete;
  ~Deflation() { ::deflateEnd(&stream); }

  z_stream stream{};
};

}  // namespace

std::string gzipped(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<uInt>::max() / 2)
    throw std::length_error("too much for one request");
  Deflation deflation;
  z_stream& stream = deflation.stream;
  std::string result(::deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  // zlib does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  ::deflate(&stream, Z_FINISH);  // ends: there is room for the worst case
  result.resize(stream.total_out);
  return result;
}

}  // namespace tidings::telemetry
