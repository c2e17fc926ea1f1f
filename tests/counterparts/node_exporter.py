"""Prints what node_exporter's textfile collector gives of the files in a folder: node_exporter.py FOLDER"""

import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

PATIENCE_S = 30

with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
with subprocess.Popen(
    [
        "prometheus-node-exporter",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={sys.argv[1]}",
        f"--web.listen-address=127.0.0.1:{port}",
    ],
    stderr=subprocess.PIPE,
) as exporter:
    # Read, so that it never waits for its log to be.
    log = threading.Thread(target=exporter.stderr.read)
    log.start()
    nobody = threading.Event()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and exporter.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                print(answer.read().decode())
                break
        except (urllib.error.URLError, ConnectionError):
            nobody.wait(0.05)
    exporter.terminate()
    log.join()
