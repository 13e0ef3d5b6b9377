"""A walk at random through what can go wrong with a running daemon, the same again for the same seed."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.scene import slack
from faults.walk_faults import FAULTS, Fault, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("walk")

MOST_AT_ONCE: Final = 3
LONGEST_HOLD_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 2.0
SETTLE_SECONDS: Final = 60.0
WARM_UP_SHARE: Final = 0.25
MOST_MEMORY: Final = 1.1  # of what it was after the warm-up
LONG_WARM_UP_SECONDS: Final = 60.0
NOT_WARM_BYTES: Final = 8 * 2**20  # what comes on top after a shorter one, in which not every fault has had its turn
MORE_DESCRIPTORS: Final = 2  # than after the warm-up: a photo that is being read, say


@dataclass(frozen=True, slots=True)
class Step:
    """Faults that begin together, last for `hold` seconds and are cured; `pause` is the rest before the next step."""

    number: int
    faults: tuple[Fault, ...]
    hold: float
    pause: float
    seed: str

    def __str__(self) -> str:
        return f"step {self.number}: {' + '.join(fault.name for fault in self.faults)}, for {self.hold:.1f} s"


def steps(seed: int) -> Iterator[Step]:
    """For ever. Does not look at the clock, so that a seed always gives the same."""
    drawing = random.Random(seed)  # noqa: S311  not a secret
    passed = 0.0  # at least so many seconds, since waiting for labels adds to them
    not_before: dict[str, float] = {}
    number = 0
    while True:
        number += 1
        ready = [fault for fault in FAULTS if not_before.get(fault.name, 0.0) <= passed]
        drawn: list[Fault] = []
        for fault in drawing.sample(ready, len(ready)):
            if fault.kind not in {other.kind for other in drawn}:
                drawn.append(fault)
        drawn = drawn[: drawing.choice((1, 1, 2, MOST_AT_ONCE))]
        hold, pause = drawing.uniform(0.2, LONGEST_HOLD_SECONDS), drawing.uniform(0.0, LONGEST_PAUSE_SECONDS)
        for fault in drawn:
            for name in {fault.name, *fault.with_others}:
                not_before[name] = passed + fault.rest
        passed += hold + pause
        yield Step(number, tuple(drawn), hold, pause, f"{seed}/{number}")


@dataclass(frozen=True, slots=True)
class Level:
    """What the daemon holds, once it is as well as it can be."""

    descriptors: int
    threads: int
    memory: int

    def check(self, before: Level, *, warm: bool) -> None:
        """Compare with what it was; `warm`: after a long warm-up."""
        log.info("walk: at the end %s, after the warm-up %s", self, before)
        assert self.descriptors <= before.descriptors + MORE_DESCRIPTORS
        assert self.threads <= before.threads
        assert self.memory <= before.memory * MOST_MEMORY + (0 if warm else NOT_WARM_BYTES)


class Walk:
    """One walk. `worst`: the slowest recovery in seconds, from each fault that was alone and from several at once."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._steps = steps(seed)
        self._pid = scene.daemon.process.pid
        self.worst: dict[str, float] = {}
        self.taken = 0

    def go(self, seconds: float) -> None:
        """Take steps for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            step = next(self._steps)
            self._take(step)
            self.taken += 1
            time.sleep(step.pause)

    def _take(self, step: Step) -> None:
        scene, grown = self._scene, slack()
        log.info("%s; bounds times %.1f", step, grown)
        began = time.monotonic()
        drawing = random.Random(step.seed)  # noqa: S311  not a secret
        cures = [fault.happen(scene, drawing) for fault in step.faults]
        hit = {camera for fault in step.faults for camera in fault.hits}
        healthy = scene.cameras - hit
        took = 0.0
        if healthy:
            took = self._wait(step, healthy, began, grown * sum(fault.meanwhile for fault in step.faults))
        time.sleep(max(0.0, began + step.hold - time.monotonic()))
        for cure in reversed(cures):
            cure()
        cured = time.monotonic()
        again = self._wait(step, scene.cameras, cured, grown * sum(fault.bound(cured - began) for fault in step.faults))
        took = max(took, again) if hit else took
        megabytes = scene.daemon.process.memory_info().rss / 2**20
        log.info("step %d: labels after %.2f s; the daemon takes %.0f MB", step.number, took, megabytes)
        key = step.faults[0].name if len(step.faults) == 1 else "several at once"
        self.worst[key] = max(self.worst.get(key, 0.0), took)

    def _wait(self, step: Step, cameras: frozenset[str], since: float, seconds: float) -> float:
        try:
            took = self._scene.arrivals.wait_until_labelled(cameras, since, seconds)
        except AssertionError as error:
            raise AssertionError(f"{step}: {error}") from error
        assert self._scene.daemon.process.poll() is None, f"{step}: the daemon has ended"
        assert self._scene.daemon.process.pid == self._pid
        return took

    def settle(self) -> Level:
        """Wait until everything is as it was at the start and stays so, and measure."""
        self._scene.stand_in.behave()
        deadline = time.monotonic() + SETTLE_SECONDS
        before: Level | None = None
        while True:
            assert time.monotonic() < deadline, "not as well as it was at the start"
            level = self._level() if self._scene.is_well() else None
            if level and before and (level.descriptors, level.threads) == (before.descriptors, before.threads):
                return level
            before = level
            time.sleep(1)

    def _level(self) -> Level:
        process = self._scene.daemon.process
        return Level(process.num_fds(), process.num_threads(), process.memory_full_info().uss)
