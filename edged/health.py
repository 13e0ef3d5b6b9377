"""What `health` says of the whole device, gathered from the parts."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from edged.mqtt.messages import CameraHealth, Health, InferenceHealth, Latency, MqttHealth, SystemHealth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.camera.camera import Camera
    from edged.engine.engine import Engine, EngineState
    from edged.mqtt.client import MqttState
    from edged.pipeline import Pipeline

CPU_TEMPERATURE = Path("/sys/class/thermal/thermal_zone0/temp")


@dataclass(slots=True)
class HealthReporter:
    """Reads every part's state. Rates and the processor's share are those since the last full report."""

    cameras: Mapping[str, Camera]
    engine: Engine
    pipeline: Pipeline
    state_folder: Path
    _started: float = field(default_factory=time.monotonic)
    _last: float = field(default_factory=time.monotonic)
    _counts: dict[str, int] = field(default_factory=dict)
    _cpu: dict[int, psutil.Process] = field(default_factory=dict)

    def report(self, mqtt: MqttState) -> Health:
        """How everything is now."""
        now = time.monotonic()
        counts = self.pipeline.counts()
        elapsed = max(now - self._last, 1e-3)
        cameras = {}
        for name, camera in self.cameras.items():
            state = camera.state
            fps = (counts[name] - self._counts.get(name, 0)) / elapsed
            cameras[name] = CameraHealth(state.state, state.reason, fps, state.frames, state.dropped, state.reconnects)
        self._last, self._counts = now, counts
        engine = self.engine.state()
        return Health(
            time=datetime.now(UTC),
            uptime_s=now - self._started,
            cameras=cameras,
            inference=InferenceHealth(
                engine.device, engine.reason, engine.restarts, _percentiles(self.pipeline.latencies())
            ),
            mqtt=MqttHealth(mqtt.protocol, mqtt.reconnects, mqtt.queued, mqtt.dropped),
            system=self._system(engine),
        )

    def _system(self, engine: EngineState) -> SystemHealth:
        memory, cpu = 0, 0.0
        pids = [psutil.Process().pid] + ([engine.pid] if engine.pid else [])
        self._cpu = {pid: process for pid, process in self._cpu.items() if pid in pids}
        for pid in pids:
            try:
                process = self._cpu.setdefault(pid, psutil.Process(pid))
                memory += process.memory_full_info().pss
                cpu += process.cpu_percent(None)
            except psutil.Error:  # the worker ended just now
                continue
        return SystemHealth(
            memory_mb=memory / 2**20,
            cpu_percent=cpu,
            temperature_c=_temperature(),
            disk_free_mb=_disk_free_mb(self.state_folder),
        )


def _percentiles(latencies: list[float]) -> Latency:
    if not latencies:
        return Latency()
    ordered = sorted(latencies)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99)


def _temperature() -> float | None:
    try:
        return int(CPU_TEMPERATURE.read_text("ascii")) / 1000
    except (OSError, ValueError):  # this board has no such sensor
        return None


def _disk_free_mb(folder: Path) -> float | None:
    for place in (folder, *folder.parents):  # the state folder may not exist yet
        try:
            return shutil.disk_usage(place).free / 2**20
        except OSError:
            continue
    return None
