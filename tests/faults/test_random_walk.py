"""Faults at random, and labels back within their bounds after each.

    EDGED_WALK_SECONDS   how long (15)
    EDGED_WALK_SEED      the walk to take; without it another one each time, whose seed is logged

`scripts/random-walk` takes a long one and shows every step.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from faults.scene import START_SECONDS, Arrivals, tell, twin_package
from faults.walk import LONG_WARM_UP_SECONDS, WARM_UP_SHARE, Walk, steps
from faults.walk_faults import FAULTS, Scene
from support.daemon import Daemon
from support.edgetpu import StandIn
from support.mosquitto import Mosquitto, until
from support.videos import write_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = float(os.environ.get("EDGED_WALK_SECONDS", "15"))
SEED = int(os.environ.get("EDGED_WALK_SEED") or secrets.randbelow(2**31))

log = logging.getLogger("walk")


@pytest.fixture
def scene(tmp_path: Path, broker: Mosquitto, photos: Path) -> Iterator[Scene]:
    stand_in = StandIn(tmp_path / "edgetpu")
    other = shutil.copytree(photos, tmp_path / "other")
    film = write_video(tmp_path / "film.mp4")
    state = tmp_path / "state"
    state.mkdir()
    cameras = (
        f"  a: {{source: {photos}, fps: 10}}\n  b: {{source: {other}, fps: 10}}\n  film: {{source: {film}, fps: 10}}\n"
    )
    more = f"model: {{path: {twin_package(tmp_path / 'twin')}}}"
    daemon = Daemon(tmp_path, broker.port, cameras, more=more)
    tell(daemon, f"load_deadline: 5s, device: edgetpu, edgetpu: {{library: {stand_in.library}}}")
    with Arrivals(broker.port) as arrivals, daemon:
        found = Scene(daemon, broker, arrivals, stand_in, {"a": photos, "b": other}, film, state)
        arrivals.wait_until_labelled(found.cameras, time.monotonic(), START_SECONDS)
        until(found.is_well, START_SECONDS)
        yield found


def test_the_same_seed_gives_the_same_walk_and_every_fault_has_its_turn() -> None:
    first, second = steps(7), steps(7)
    taken = [next(first) for _ in range(400)]
    assert taken == [next(second) for _ in range(400)]
    assert {fault.name for step in taken for fault in step.faults} == {fault.name for fault in FAULTS}


@pytest.mark.timeout(SECONDS + 240)
def test_labels_come_back_in_time_after_whatever_happens(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "walk")
    log.info("walk: EDGED_WALK_SEED=%d EDGED_WALK_SECONDS=%g", SEED, SECONDS)
    walk = Walk(scene, SEED)
    warm_up = SECONDS * WARM_UP_SHARE
    walk.go(warm_up)
    before = walk.settle()
    walk.go(SECONDS - warm_up)
    walk.settle().check(before, warm=warm_up >= LONG_WARM_UP_SECONDS)
    log.info("walk: %d steps; slowest recoveries: %s", walk.taken, json.dumps(walk.worst, indent=1, sort_keys=True))
    assert "Traceback" not in scene.daemon.log
    assert scene.daemon.stop() == 0
