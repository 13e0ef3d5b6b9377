"""What `health` tells of the machine, gathered from real parts that do nothing and trees such as kernels show."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from edged.camera.newest import Newest
from edged.engine.engine import Engine, EngineOptions
from edged.health import HealthReporter
from edged.mqtt.client import MqttState
from edged.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.mqtt.messages import SystemHealth

CHEAP_SECONDS = 0.25  # a report takes some milliseconds; this machine may have other things to do


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(EngineOptions(device="cpu"))
    yield made
    made.close()


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(Newest(), lambda: None, {}, lambda _result, _frame: None)


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def mqtt() -> MqttState:
    return MqttState(connected=False, protocol=None, reconnects=0, queued=0, dropped=0, reason=None)


def system(engine: Engine, pipeline: Pipeline, root: Path, share: float = 1.0) -> SystemHealth:
    return HealthReporter({}, engine, pipeline, root, share=lambda: share, root=root).report(mqtt()).system


def test_board_is_reported(engine: Engine, pipeline: Pipeline, tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005")
    health = system(engine, pipeline, tmp_path)
    assert (health.temperature_c, health.throttled, health.under_voltage) == (48.312, True, True)


def test_edge_tpus_temperature_is_reported(engine: Engine, pipeline: Pipeline, tmp_path: Path) -> None:
    put(tmp_path, "sys/class/apex/apex_0/temp", "61000")
    put(tmp_path, "dev/apex_0", "")
    assert system(engine, pipeline, tmp_path).edgetpu_temperature_c == 61.0


@pytest.mark.parametrize(("share", "slowed"), [(1.0, False), (0.8, True), (0.2, True)])
def test_slowed_is_a_share_below_all(
    engine: Engine, pipeline: Pipeline, tmp_path: Path, share: float, *, slowed: bool
) -> None:
    assert system(engine, pipeline, tmp_path, share).slowed is slowed


def test_machine_that_tells_nothing_is_null(engine: Engine, pipeline: Pipeline, tmp_path: Path) -> None:
    reporter = HealthReporter({}, engine, pipeline, tmp_path, root=tmp_path)
    told = json.loads(reporter.report(mqtt()).to_json())["system"]
    assert [told[key] for key in ("temperature_c", "edgetpu_temperature_c", "throttled", "under_voltage")] == [None] * 4
    assert told["slowed"] is False
    assert told["memory_mb"] > 0
    assert told["disk_free_mb"] > 0


def test_memory_is_that_of_the_daemon_and_all_its_workers(engine: Engine, pipeline: Pipeline, tmp_path: Path) -> None:
    alone = system(engine, pipeline, tmp_path).memory_mb
    assert alone is not None
    engine.start()
    deadline = time.monotonic() + 20
    while not engine.state().pids and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = sum(psutil.Process(pid).memory_full_info().pss for pid in engine.state().pids) / 2**20
    both = system(engine, pipeline, tmp_path).memory_mb
    assert both is not None
    assert workers > 0
    assert both > psutil.Process(os.getpid()).memory_full_info().pss / 2**20


def test_change_of_a_flag_is_a_change_of_state_and_a_figure_is_none(
    engine: Engine, pipeline: Pipeline, tmp_path: Path
) -> None:
    reporter = HealthReporter({}, engine, pipeline, tmp_path, root=tmp_path)
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "0")
    before = reporter.report(mqtt()).states()
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "78312")
    assert reporter.report(mqtt()).states() == before
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "4")
    assert reporter.report(mqtt()).states() != before


def test_report_is_cheap(engine: Engine, pipeline: Pipeline, tmp_path: Path) -> None:
    reporter = HealthReporter({}, engine, pipeline, tmp_path)
    reporter.report(mqtt())
    start = time.monotonic()
    for _ in range(5):
        reporter.report(mqtt())
    assert (time.monotonic() - start) / 5 < CHEAP_SECONDS
