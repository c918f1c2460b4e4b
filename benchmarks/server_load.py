"""Requests a second of the real service on loopback, with and without batches.

    python benchmarks/server_load.py [--place demo/place --queries demo/floor/second/images]

`sightline serve` runs in a process of its own, with the real localiser (both stages). 1, 4 and 16
clients each send one photo, wait for the answer, and send the next; the number of requests is
bounded. Baseline: batching off (`--batch-size 1`), at the same number of clients. The clients share
the cores with the service.
"""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from _harness import (
    WORK,
    Benchmark,
    Stages,
    peak_memory_mb,
    percentile,
    run_main,
    say,
    work_folder,
)
from _places import given_or_made
from sightline.errors import InputError

START_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        address: Host and port.
        pid: Its process.
    """

    address: str
    pid: int


@contextmanager
def serving(place: Path, batch_size: int, log: Path) -> Iterator[Service]:
    """Yield the service of a place; it is stopped when the block ends.

    Raises:
        InputError: It does not start.
    """
    command = [sys.executable, "-m", "sightline.cli.main", "serve", str(place), "--port", "0",
               "--batch-size", str(batch_size)]  # fmt: skip
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_pump, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield Service(_address(lines, log), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")


def _address(lines: queue.Queue[str], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            continue
        if "http://" in line:
            return urlsplit(line[line.index("http://") :].strip()).netloc
        if not line:
            break
    raise InputError(f"a running service is wanted; it did not start, {log} tells why")


def form(photo: Path) -> tuple[bytes, str]:
    """Return a multipart body with one photo, and its content type."""
    boundary = uuid.uuid4().hex
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="photos"; filename="{photo.name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + photo.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


class Clients:
    """Some clients that work off a bounded list of requests, each on one kept connection."""

    def __init__(self, address: str, forms: list[tuple[bytes, str]], requests: int) -> None:
        self._address = address
        self._forms = forms
        self._todo = iter(range(requests))
        self._lock = threading.Lock()
        self.seconds: list[float] = []
        self.problems: list[str] = []

    def run(self, clients: int) -> float:
        """Return the seconds until every request was answered."""
        threads = [threading.Thread(target=self._work) for _ in range(clients)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=REQUEST_TIMEOUT_S)
        while (number := self._next()) is not None:
            body, kind = self._forms[number % len(self._forms)]
            start = time.perf_counter()
            try:
                connection.request("POST", "/api/localize", body, {"Content-Type": kind})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._note(None, repr(error))
                connection.close()
                continue
            problem = None if answer.status == 200 else f"{answer.status}: {content[:200]!r}"
            self._note(time.perf_counter() - start, problem)
        connection.close()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._todo, None)

    def _note(self, seconds: float | None, problem: str | None) -> None:
        with self._lock:
            if problem is not None:
                self.problems.append(problem)
            elif seconds is not None:
                self.seconds.append(seconds)


def health(address: str) -> dict[str, Any]:
    """Return what ``/healthz`` says."""
    connection = http.client.HTTPConnection(address, timeout=REQUEST_TIMEOUT_S)
    connection.request("GET", "/healthz")
    content: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return content


def measure(
    place: Path, photos: tuple[Path, ...], batch_size: int, clients: list[int], requests: int
) -> list[dict[str, Any]]:
    """Return a row for each number of clients."""
    forms = [form(photo) for photo in photos]
    rows = []
    with work_folder(None) as scratch, serving(place, batch_size, scratch / "log.txt") as service:
        models = health(service.address)["models"]
        Clients(service.address, forms, 2).run(2)  # lazily made parts are not load
        for count in clients:
            load = Clients(service.address, forms, requests)
            total_s = load.run(count)
            if load.problems:
                raise InputError(f"answers are wanted, the service said {load.problems[0]}")
            ms = [s * 1e3 for s in load.seconds]
            rows.append({
                "clients": count, "batch_size": batch_size, "requests": requests,
                "requests_per_s": requests / total_s, "p50_ms": percentile(ms, 50),
                "p95_ms": percentile(ms, 95), "peak_mb": peak_memory_mb(service.pid),
                "network": models["run"],
            })  # fmt: skip
            say(f"batch size {batch_size}, {count} clients: {requests / total_s:.1f} requests/s")
    return rows


def main() -> int:
    """Measure, print a table, write bench-results/server_load.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--place", type=Path, help="a built place")
    bench.parser.add_argument("--queries", type=Path, help="a folder of photos taken in it")
    bench.parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    bench.parser.add_argument("--requests", type=int, default=48, help="a number of clients")
    bench.parser.add_argument("--batch-size", type=int, default=8)
    bench.parser.add_argument("--photos", type=int, default=24)
    bench.parser.add_argument("--work", type=Path, default=WORK / "place")
    options = bench.options()
    with work_folder(options.work) as work:
        asked = given_or_made(options.place, options.queries, work, options.photos, Stages())
    rows = []
    for batch_size in (1, options.batch_size):
        rows += measure(asked.place, asked.photos, batch_size, options.clients, options.requests)
    baseline = {row["clients"]: row for row in rows if row["batch_size"] == 1}
    for row in rows:
        row["batches"] = "off" if row["batch_size"] == 1 else f"up to {row['batch_size']}"
        row["faster"] = row["requests_per_s"] / baseline[row["clients"]]["requests_per_s"]
    columns = {
        "clients": "clients", "batches": "batches", "requests_per_s": "requests/s",
        "faster": "times faster", "p50_ms": "p50 ms", "p95_ms": "p95 ms",
        "peak_mb": "service's peak MB",
    }  # fmt: skip
    title = (
        f"{options.requests} requests of one photo each, network {rows[0]['network']} and map "
        f"({asked.place}); baseline: batching off, at the same number of clients"
    )
    bench.report(title, columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
