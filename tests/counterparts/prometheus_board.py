"""A real Prometheus scrapes the example 11_metrics, takes the rules, and answers each query of the board.

prometheus_board.py EXAMPLE_PROGRAM MONITORING_FOLDER
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.error

from prometheus_server import fetch, running_prometheus, wait_until

# What the board's variables stand for.
VARIABLES = {"$__rate_interval": "10s", "$job": "shop", "$instance": ".*"}

example, monitoring = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()


class Orders:
    """Posts orders to the example, and counts those that it accepts."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/orders/"
        self.accepted = 0
        self.refused = 0

    def post(self, number):
        try:
            fetch(self.url + str(number), "POST")
            self.accepted += 1
        except urllib.error.HTTPError as refusal:
            assert refusal.code == 409, refusal
            self.refused += 1


def queries_of_the_board():
    board = json.loads((monitoring / "dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


def check(prometheus, orders):
    numbers = iter(range(1_000_000))
    assert wait_until(
        lambda: (prometheus.number('count_over_time(up{job="shop"}[1m])') or 0) >= 8
        and prometheus.query("tidings:commit_duration_seconds:p99_rate5m"),
        lambda: orders.post(next(numbers)),
    ), "Prometheus has not scraped the example"

    asked = 0
    for title, expression in queries_of_the_board():
        asked += 1
        assert wait_until(
            lambda: prometheus.query(expression), lambda: orders.post(next(numbers))
        ), f"'{title}' shows nothing for: {expression}"
    assert asked > 25, asked

    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == 16, rules
    for rule in rules:
        assert rule["health"] == "ok", rule
        if rule["type"] == "recording":
            assert prometheus.query(rule["name"]), rule

    # Only OpenMetrics has units: it is what the example and Prometheus agreed upon.
    kept = prometheus.ask("metadata", metric="tidings_handler_duration_seconds")
    entry = kept["tidings_handler_duration_seconds"][0]
    assert (entry["type"], entry["unit"]) == ("histogram", "seconds"), entry
    target = prometheus.ask("targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", ""), target

    def counts_agree():
        published = prometheus.number('tidings_events_published_total{event_type="orders.order_placed"}')
        refused = prometheus.number('orders_refused_total{reason="stock"}')
        owed = prometheus.number('tidings_journal_owed{handler="send_receipt"}')
        ended = prometheus.number(
            'tidings_handler_attempts_total{handler="send_receipt",outcome="handled"}'
            ' + on (handler) tidings_dead_letters_total{handler="send_receipt"}'
        )
        return (published, refused, owed, ended) == (orders.accepted, orders.refused, 0, orders.accepted)

    assert wait_until(counts_agree), "Prometheus' counters are not what was posted"
    print(f"{asked} queries answered, {orders.accepted} orders counted")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    with subprocess.Popen(
        [example, "serve"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as service:
        port = int(service.stdout.readline())
        try:
            with running_prometheus(folder, port, rules=[monitoring / "rules.yml"]) as prometheus:
                check(prometheus, Orders(port))
        finally:
            service.stdin.close()
