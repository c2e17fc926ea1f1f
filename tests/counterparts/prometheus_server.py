"""A real Prometheus for the tests: its process, and questions to its API."""

import contextlib
import json
import pathlib
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read().decode()


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


@contextlib.contextmanager
def running_prometheus(folder: pathlib.Path, target_port, rules=(), arguments=()):
    """One that scrapes a port of this machine twice a second, as job `shop`. Its log is printed if a test fails."""
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
                "rule_files": [str(path) for path in rules],
                "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}],
            }
        )
    )
    port = free_port()
    with open(folder / "prometheus.log", "w", encoding="utf-8") as log, subprocess.Popen(
        [
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
            *arguments,
        ],
        cwd=folder,
        stdout=log,
        stderr=log,
    ) as server:
        try:
            yield Prometheus(port)
        except BaseException:
            print((folder / "prometheus.log").read_text())
            raise
        finally:
            server.terminate()


def wait_until(condition, meanwhile=lambda: None):
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
