"""Reads metrics with the parsers of python3-prometheus-client, and prints each sample: name, labels, value;
after it its exemplar, if there is one.

parse_metrics.py text|openmetrics < FILE. The parser of OpenMetrics is strict: it throws at whatever the
specification forbids.
"""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_parser

parsers = {
    "text": parser.text_string_to_metric_families,
    "openmetrics": open_parser.text_string_to_metric_families,
}
for family in parsers[sys.argv[1]](sys.stdin.read()):
    print("family", family.name, family.type, family.unit or "-")
    for sample in family.samples:
        print(sample.name, json.dumps(sample.labels, sort_keys=True), sample.value)
        if sample.exemplar:
            exemplar = sample.exemplar
            print("exemplar", json.dumps(exemplar.labels, sort_keys=True), exemplar.value, exemplar.timestamp)
