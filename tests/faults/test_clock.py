"""The wall clock jumps by ten years while the daemon runs: only the times that it tells follow."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from faults.scene import START_SECONDS, Arrivals, back, slack
from faults.wall_clock import WallClock
from support.daemon import Daemon
from support.mosquitto import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

TEN_YEARS = 3653
FPS = 10
LONGEST_GAP_SECONDS = 1.0
WATCHED_SECONDS = 2.5
HEALTH_EVERY_SECOND = (
    "import sys\n"
    "from edged import daemon\n"
    "daemon.HEALTH_SECONDS = 1.0\n"  # a minute, else
    "from edged.cli.main import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def arrivals(broker: Mosquitto) -> Iterator[Arrivals]:
    with Arrivals(broker.port) as listening:
        yield listening


@pytest.fixture
def daemon(  # noqa: PLR0913, PLR0917  fixtures
    tmp_path: Path, broker: Mosquitto, photos: Path, clock: WallClock, subscriber: Subscriber, arrivals: Arrivals
) -> Iterator[Daemon]:
    running = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: {FPS}}}")
    running.environment = clock.environment
    running.program = ("-c", HEALTH_EVERY_SECOND)
    with running:
        until(lambda: len(arrivals.of("a")) > FPS, START_SECONDS)
        assert subscriber.on("edged/test/status") == [b"online"]
        yield running


def health(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in subscriber.on("edged/test/health")]


def bears(said: dict[str, Any], moment: datetime) -> bool:
    return abs(datetime.fromisoformat(said["time"]) - moment) < timedelta(minutes=1)


@pytest.mark.parametrize("days", [-TEN_YEARS, TEN_YEARS])
def test_nothing_but_the_times_told_notices_that_the_wall_clock_jumps_by_ten_years(
    daemon: Daemon, subscriber: Subscriber, arrivals: Arrivals, clock: WallClock, days: int
) -> None:
    worker = daemon.worker()
    before = len(arrivals.of("a"))
    began = time.monotonic()
    clock.set(days)
    time.sleep(WATCHED_SECONDS)
    there = datetime.now(UTC) + timedelta(days=days)
    assert all(abs(arrival.time - there) < timedelta(minutes=1) for arrival in arrivals.of("a")[before + 2 :])
    assert sum(bears(said, there) for said in health(subscriber)) >= 2
    clock.set(0)
    time.sleep(WATCHED_SECONDS)
    lasted = time.monotonic() - began
    told = arrivals.of("a")[before - 1 :]
    assert abs(told[-1].time - datetime.now(UTC)) < timedelta(minutes=1)
    assert max(later.at - earlier.at for earlier, later in pairwise(told)) < LONGEST_GAP_SECONDS * slack()
    assert len(told) >= 0.8 * FPS * lasted / slack(), "at the camera's rate"
    assert daemon.worker() == worker
    last = health(subscriber)[-1]
    assert bears(last, datetime.now(UTC))
    assert (last["mqtt"]["reconnects"], last["cameras"]["a"]["reconnects"], last["inference"]["restarts"]) == (0, 0, 0)
    assert last["uptime_s"] < 60
    assert subscriber.on("edged/test/status") == [b"online"]
    assert "WARNING" not in daemon.log
    assert daemon.stop() == 0


@pytest.mark.parametrize("days", [-TEN_YEARS, TEN_YEARS])
def test_the_worker_and_the_broker_come_back_in_another_decade_and_it_stops_in_time(  # noqa: PLR0913, PLR0917  fixtures
    daemon: Daemon, broker: Mosquitto, subscriber: Subscriber, arrivals: Arrivals, clock: WallClock, days: int
) -> None:
    clock.set(days)
    daemon.worker().kill()
    count = len(arrivals.of("a"))
    until(lambda: len(arrivals.of("a")) > count, back())
    broker.restart()
    count = len(arrivals.of("a"))
    until(lambda: len(arrivals.of("a")) > count + 2, 10)
    assert daemon.stop() == 0
    until(lambda: subscriber.on("edged/test/status")[-1] == b"offline", 10)
