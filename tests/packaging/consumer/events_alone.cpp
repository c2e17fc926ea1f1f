#include <tidings/event.hpp>
#include <tidings/ids.hpp>

int main() {
  const tidings::EncodedData data = tidings::encode_data({{"order_id", 42}});
  return tidings::decode_data(data.bytes, data.encoding).at("order_id") == 42 ? 0 : 1;
}
