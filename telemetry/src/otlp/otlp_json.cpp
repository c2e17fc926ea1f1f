#include <tidings/telemetry/otlp_json.hpp>

#include "otlp/messages.hpp"

namespace tidings::telemetry {

std::string otlp_json(std::span<const SpanData> spans, const Resource& resource) {
  return encode_spans(spans, resource, OtlpEncoding::Json);
}

}  // namespace tidings::telemetry
