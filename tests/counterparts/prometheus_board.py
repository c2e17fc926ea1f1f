"""A real Prometheus scrapes the example 11_metrics, takes the rules, and answers each query of the board.

prometheus_board.py EXAMPLE_PROGRAM MONITORING_FOLDER
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 60
# What the board's variables stand for.
VARIABLES = {"$__rate_interval": "10s", "$job": "shop", "$instance": ".*"}

example, monitoring = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read().decode()


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


class Prometheus:
    def __init__(self, port):
        self.api = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, path, **parameters):
        answer = json.loads(fetch(self.api + path + "?" + urllib.parse.urlencode(parameters)))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def number(self, expression):
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else None


def wait_until(condition, meanwhile):
    """Tries again and again, since there is nothing that could be waited for; false when patience is at its end."""
    nobody = threading.Event()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        meanwhile()
        try:
            if condition():
                return True
        except (urllib.error.URLError, ConnectionError):
            pass
        nobody.wait(0.05)
    return False


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

    assert wait_until(counts_agree, lambda: None), "Prometheus' counters are not what was posted"
    print(f"{asked} queries answered, {orders.accepted} orders counted")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    with subprocess.Popen(
        [example, "serve"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as service:
        port = int(service.stdout.readline())
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
                    "rule_files": [str(monitoring / "rules.yml")],
                    "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
                }
            )
        )
        own_port = free_port()
        with open(folder / "prometheus.log", "w", encoding="utf-8") as log, subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{own_port}",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
        ) as server:
            try:
                check(Prometheus(own_port), Orders(port))
            except BaseException:
                print((folder / "prometheus.log").read_text())
                raise
            finally:
                server.terminate()
                service.stdin.close()
