#!/usr/bin/env python3
"""What people and programs that look on cost the label stream: `scripts/page_cost.py`, a line of JSON.

One daemon labels as fast as it can. In turn, for some seconds each: nobody looks on; ten viewers have the page's stream
with pictures; one has, and /metrics is scraped each second. `…_ratio` is results with them over results without, the
median over all rounds. Viewers and scraper take their time from the same machine, so the ratio is the worst that it can
be, and moves with whatever else the machine does; `…_per_cpu_ratio` is the same in results for a second of processor
time of daemon and worker together, which does not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import operator
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from live import Broker, Listener, run_command

from edged.benchmark import running, write_configuration, write_photos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS: Final = 60.0
VIEWERS: Final = 10
SETTLE_SECONDS: Final = 1.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def looking_on(port: int, viewers: int, *, scrape: bool) -> Iterator[None]:
    """So many viewers who read whatever comes, and perhaps a scraper."""
    ending = threading.Event()
    threads = [threading.Thread(target=read_all, args=(port, viewers, ending), daemon=True)]
    if scrape:
        threads.append(threading.Thread(target=scrape_all, args=(port, ending), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(5)


def read_all(port: int, viewers: int, ending: threading.Event) -> None:
    """Read and throw away."""
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as sockets:
        for _ in range(viewers):
            viewer = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            viewer.sendall(f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            selector.register(viewer, selectors.EVENT_READ, viewer)
        room = bytearray(1 << 20)
        while not ending.is_set():
            for key, _ in selector.select(0.1):
                if not key.data.recv_into(room):
                    raise RuntimeError("a viewer was sent away")


def scrape_all(port: int, ending: threading.Event) -> None:
    """/metrics each second."""
    while not ending.wait(1.0):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            answer.read()


def main() -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/page_cost.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="how often, in turn (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="of each measurement (%(default)s)")
    parser.add_argument("--fps", type=float, default=240.0, metavar="N", help="of the camera, at most (%(default)s)")
    args = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="edged-page-") as temporary:
        folder = Path(temporary)
        write_photos(folder / "photos")
        with Broker(folder) as broker, Listener(broker.port) as listener:
            path = write_configuration(
                folder, model="base", port=broker.port, photos=folder / "photos", threads=1, fps=args.fps
            )
            path.write_text(json.dumps({**json.loads(path.read_text()), "web": {"listen": f"127.0.0.1:{port}"}}))
            with running(*run_command(path)) as process:
                listener.seconds_until_labels(lambda: None, START_SECONDS)
                print(json.dumps(measure(port, listener, psutil.Process(process.pid), args), indent=2))
    return 0


def measure(port: int, listener: Listener, daemon: psutil.Process, args: argparse.Namespace) -> dict[str, object]:
    """All rounds."""
    kinds: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
        "nobody": contextlib.nullcontext,
        "ten_viewers": lambda: looking_on(port, VIEWERS, scrape=False),
        "page_and_metrics": lambda: looking_on(port, 1, scrape=True),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    spent: dict[str, list[float]] = {kind: [] for kind in kinds}
    per_cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(args.rounds):
        for kind, begin in kinds.items():
            with begin():
                time.sleep(SETTLE_SECONDS)
                count, before, began = listener.count, used(daemon), time.monotonic()
                time.sleep(args.seconds)
                count, seconds, cores = listener.count - count, time.monotonic() - began, used(daemon) - before
            rates[kind].append(count / seconds)
            spent[kind].append(cores / seconds)
            per_cpu[kind].append(count / cores)
        print(f"page_cost: {len(rates['nobody'])} of {args.rounds}", file=sys.stderr)
    return {
        "schema": 1,
        **ratios("ratio", rates),
        **ratios("per_cpu_ratio", per_cpu),
        **{f"{kind}_results_a_second": round(statistics.median(found), 2) for kind, found in rates.items()},
        **{f"{kind}_cores": round(statistics.median(found), 3) for kind, found in spent.items()},
        "fps": args.fps,
        "rounds": args.rounds,
        "seconds": args.seconds,
    }


def ratios(name: str, found: dict[str, list[float]]) -> dict[str, object]:
    """With somebody over without, the median over the rounds."""
    return {
        f"{kind}_{name}": round(statistics.median(map(operator.truediv, values, found["nobody"])), 4)
        for kind, values in found.items()
        if kind != "nobody"
    }


def used(daemon: psutil.Process) -> float:
    """Processor seconds of daemon and worker so far."""
    return float(sum(sum(process.cpu_times()[:2]) for process in (daemon, *daemon.children())))


if __name__ == "__main__":
    raise SystemExit(main())
