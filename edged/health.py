"""What `health` says of the whole device, gathered from the parts."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from edged.board import ROOT, read_board
from edged.engine.edgetpu import hottest_edge_tpu_c
from edged.mqtt.messages import (
    CameraHealth,
    EventsHealth,
    Health,
    InferenceHealth,
    Latency,
    ModelHealth,
    MqttHealth,
    SystemHealth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from edged.camera.camera import Camera
    from edged.engine.engine import Engine, EngineState
    from edged.mqtt.client import MqttState
    from edged.pipeline import Pipeline

WINDOW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is measured over a while: frames labelled per second by camera, and the processor's share in percent."""

    fps: Mapping[str, float]
    cpu_percent: float | None


class HealthReporter:
    """Reads every part's state.

    Rates are those of the last window of `WINDOW_SECONDS` or more: a report that a change of state calls for, a moment
    after the one before, repeats them.

    `share` gives the part of the frames that heat leaves (`HeatGovernor`), from any thread; `root` is where /sys and
    /dev begin.
    """

    def __init__(  # noqa: PLR0913  one for each part that it asks
        self,
        cameras: Mapping[str, Camera],
        engine: Engine,
        pipeline: Pipeline,
        state_folder: Path,
        *,
        share: Callable[[], float] = lambda: 1.0,
        root: Path = ROOT,
    ) -> None:
        self._cameras = cameras
        self._engine = engine
        self._pipeline = pipeline
        self._state_folder = state_folder
        self._share = share
        self._root = root
        self._started = self._window = time.monotonic()
        self._counts = pipeline.counts()
        self._processes: dict[int, psutil.Process] = {}
        self._figures = _Figures({}, None)
        self.model = ModelHealth()  # set by whoever knows
        self.off: Callable[[], Iterable[str]] = tuple  # cameras that are switched off; likewise
        self.events: Callable[[], EventsHealth] = EventsHealth  # likewise

    def report(self, mqtt: MqttState) -> Health:
        """How everything is now."""
        now = time.monotonic()
        engine = self._engine.state()
        processes = self._family(engine)
        if now - self._window >= WINDOW_SECONDS:
            self._figures = self._measure(now - self._window, processes)
            self._window = now
        cameras, unchanged, troubles = {}, self._pipeline.unchanged(), self._pipeline.troubles()
        for name, camera in self._cameras.items():
            state = camera.state
            cameras[name] = CameraHealth(
                state=state.state,
                reason=state.reason or troubles.get(name),
                fps=self._figures.fps.get(name, 0.0),
                frames=state.frames,
                dropped=state.dropped,
                reconnects=state.reconnects,
                unchanged=unchanged.get(name, 0),
            )
        cameras |= {name: CameraHealth("off", None, 0.0, 0, 0, 0) for name in self.off() if name not in cameras}
        latency = _percentiles(self._pipeline.latencies())
        board = read_board(self._root)
        return Health(
            time=datetime.now(UTC),
            uptime_s=now - self._started,
            cameras=cameras,
            inference=InferenceHealth(engine.device, engine.reason, engine.restarts, latency),
            model=self.model,
            events=self.events(),
            mqtt=MqttHealth(mqtt.protocol, mqtt.reconnects, mqtt.queued, mqtt.dropped),
            system=SystemHealth(
                memory_mb=_sum(process.memory_full_info().pss / 2**20 for process in processes),
                cpu_percent=self._figures.cpu_percent,
                temperature_c=board.temperature_c,
                edgetpu_temperature_c=hottest_edge_tpu_c(self._root),
                slowed=self._share() < 1.0,
                throttled=board.throttled,
                under_voltage=board.under_voltage,
                disk_free_mb=_disk_free_mb(self._state_folder),
            ),
        )

    def _family(self, engine: EngineState) -> list[psutil.Process]:
        """This process and its workers; the objects are kept, since each measures its own processor time."""
        pids = [os.getpid(), *engine.pids]
        known = self._processes
        self._processes = {}
        for pid in pids:
            with contextlib.suppress(psutil.Error, OSError):  # it ended just now; or no descriptor is left
                self._processes[pid] = known.get(pid) or psutil.Process(pid)
        return list(self._processes.values())

    def _measure(self, seconds: float, processes: list[psutil.Process]) -> _Figures:
        counts = self._pipeline.counts()
        fps = {name: max(0, count - self._counts.get(name, 0)) / seconds for name, count in counts.items()}
        self._counts = counts
        return _Figures(fps, _sum(process.cpu_percent(None) for process in processes))


def _sum(values: Iterator[float]) -> float | None:
    """The sum of what can be read; None where nothing can: a statistic must not end the daemon."""
    total = None
    while True:
        try:
            total = next(values) + (total or 0.0)
        except StopIteration:
            return total
        except (psutil.Error, OSError):
            return total


def _percentiles(latencies: list[float]) -> Latency:
    if not latencies:
        return Latency()
    ordered = sorted(latencies)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99)


def _disk_free_mb(folder: Path) -> float | None:
    for place in (folder, *folder.parents):  # the state folder may not exist yet
        try:
            return shutil.disk_usage(place).free / 2**20
        except OSError:
            continue
    return None
