"""The daemon with the Edge TPU's stand-in: what a subscriber sees while the device comes, fails and comes back."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from support.daemon import Daemon, labels, wait_for_health, wait_for_labels
from support.edgetpu import StandIn, package_with_twin
from support.mosquitto import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

START_SECONDS = 15.0
CPU_SECONDS = 1.0  # the stated bound: labels from the CPU within a second of the fault being noticed


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "edgetpu")


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto, photos: Path, stand_in: StandIn) -> Iterator[Daemon]:
    package = package_with_twin(tmp_path / "package")
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}", more=f"model: {{path: {package}}}")
    text = daemon.config.read_text("utf-8")
    library = f"device: edgetpu, edgetpu: {{library: {stand_in.library}}}, load_deadline: 5s, threads: 1"
    daemon.config.write_text(text.replace("threads: 1", library), "utf-8")
    with daemon:
        yield daemon


def device_is(subscriber: Subscriber, device: str, seconds: float) -> None:
    until(lambda: bool(labels(subscriber)) and labels(subscriber)[-1]["device"] == device, seconds)


def test_labels_come_from_the_edge_tpu_and_health_says_so(
    daemon: Daemon, subscriber: Subscriber, stand_in: StandIn
) -> None:
    device_is(subscriber, "edgetpu", START_SECONDS)
    health = wait_for_health(subscriber, lambda said: said["inference"]["device"] == "edgetpu")
    assert health["inference"]["reason"] is None
    assert [int(entry) for entry in stand_in.loads()] == [
        child.pid for child in daemon.process.children() if str(child.pid) in stand_in.loads()
    ]
    assert daemon.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_a_device_that_takes_its_worker_along_costs_no_more_than_a_moment(
    daemon: Daemon, subscriber: Subscriber, stand_in: StandIn, number: signal.Signals
) -> None:
    device_is(subscriber, "edgetpu", START_SECONDS)
    stand_in.behave("refuse")
    held = int(stand_in.loads()[-1])
    next(child for child in daemon.process.children() if child.pid == held).send_signal(number)
    device_is(subscriber, "cpu", CPU_SECONDS)
    wait_for_labels(subscriber, CPU_SECONDS)
    failed = wait_for_health(subscriber, lambda said: "Failed to load delegate" in (said["inference"]["reason"] or ""))
    assert failed["inference"]["device"] == "cpu"
    stand_in.behave()
    device_is(subscriber, "edgetpu", START_SECONDS)
    wait_for_health(
        subscriber, lambda said: said["inference"]["device"] == "edgetpu" and said["inference"]["restarts"] == 1
    )
    assert daemon.stop() == 0


def test_a_device_that_hangs_costs_its_deadline_and_the_cpu_goes_on(
    daemon: Daemon, subscriber: Subscriber, stand_in: StandIn
) -> None:
    device_is(subscriber, "edgetpu", START_SECONDS)
    stand_in.behave("hang")
    held = int(stand_in.loads()[-1])
    next(child for child in daemon.process.children() if child.pid == held).suspend()
    device_is(subscriber, "cpu", 1.0 + CPU_SECONDS)
    wait_for_labels(subscriber, CPU_SECONDS, more=5)
    assert daemon.stop() == 0, "although the next worker hangs in loading"
