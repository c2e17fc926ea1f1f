"""Has a real Prometheus scrape a port of this machine, and prints the exemplars that it keeps: exemplars.py PORT"""

import json
import pathlib
import sys
import tempfile
import time

from prometheus_server import running_prometheus, wait_until

HOUR_S = 3600


def kept(prometheus):
    now = time.time()
    return prometheus.ask(
        "query_exemplars", query="tidings_handler_duration_seconds_bucket", start=now - HOUR_S, end=now + HOUR_S
    )


with tempfile.TemporaryDirectory() as name:
    with running_prometheus(
        pathlib.Path(name), sys.argv[1], arguments=["--enable-feature=exemplar-storage"]
    ) as prometheus:
        assert wait_until(lambda: kept(prometheus)), prometheus.ask("targets")
        for series in kept(prometheus):
            for exemplar in series["exemplars"]:
                print(series["seriesLabels"]["handler"], json.dumps(exemplar["labels"], sort_keys=True), exemplar["value"])
