"""decode_otlp.py FOLDER [SIGNAL...]: what tidings encoded, decoded by the library that OpenTelemetry generates from OTLP's .proto files.

FOLDER has, for each signal (spans, logs and metrics, unless some are named), SIGNAL.expected.json, the message as the specification's JSON has it, and SIGNAL.pb and
SIGNAL.json, which tidings encoded. Each must be that message, without unknown fields, and SIGNAL.pb must be the very
bytes that the library makes of it.
"""
import base64
import json
import pathlib
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "spans": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
IDS = {"traceId", "spanId", "parentSpanId"}


def with_base64_ids(value):
    """Protocol Buffers' own JSON, which has bytes in base64 where OTLP has hexadecimal digits."""
    if isinstance(value, list):
        return [with_base64_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else with_base64_ids(item)
            for key, item in value.items()
        }
    return value


def from_json(request, path):
    return json_format.Parse(json.dumps(with_base64_ids(json.loads(path.read_text("utf-8")))), request())


def main():
    folder = pathlib.Path(sys.argv[1])
    for signal in sys.argv[2:] or REQUESTS:
        request = REQUESTS[signal]
        expected = from_json(request, folder / f"{signal}.expected.json").SerializeToString()
        decoded = request.FromString((folder / f"{signal}.pb").read_bytes())
        assert decoded.SerializeToString() == expected, f"{signal}.pb is another message:\n{decoded}"
        assert (folder / f"{signal}.pb").read_bytes() == expected, f"{signal}.pb is other bytes"
        as_json = from_json(request, folder / f"{signal}.json").SerializeToString()
        assert as_json == expected, f"{signal}.json is another message"
        print(f"{signal}: {len(expected)} bytes, as they should be")


main()
