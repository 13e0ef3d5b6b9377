"""The machine has no more memory, processes or descriptors: labels go on, or come back when it has."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from faults.scene import (
    RETRY_SECONDS,
    START_SECONDS,
    Interpreter,
    as_ordinary_user,
    back,
    fork_refused,
    no_descriptor_left,
    tell,
    twin_package,
    workers,
)
from support.daemon import Daemon, labels, wait_for_health, wait_for_labels
from support.edgetpu import StandIn
from support.models import TinyModel, tiny_model
from support.mosquitto import Mosquitto, Subscriber, until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOO_LITTLE_MB = 30  # of its own, for a runtime to be imported
FAR_TOO_LITTLE_MB = 8  # of memory in use; other pages of libraries count where they were first used
PAUSE_SECONDS = 10.0  # the first pauses of a worker that cannot be started: five tries at once, then 5 s, 10 s …


def free_of_reason(said: dict[str, object]) -> bool:
    inference = said["inference"]
    assert isinstance(inference, dict)
    return inference["restarts"] > 0 and inference["reason"] is None


# Memory


def test_a_worker_that_meets_its_memory_limit_is_said_and_labels_come_back_when_there_is_more(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    interpreter = Interpreter(tmp_path)
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}")
    tell(daemon, f"python: {interpreter.path}")
    with daemon:
        wait_for_labels(subscriber, START_SECONDS)
        interpreter.limit(TOO_LITTLE_MB)
        daemon.worker().kill()
        health = wait_for_health(subscriber, lambda said: "emory" in str(said["inference"]["reason"]), START_SECONDS)
        assert health["cameras"]["a"]["state"] == "running"
        assert "inference: " in daemon.log
        interpreter.limit(None)
        wait_for_labels(subscriber, PAUSE_SECONDS)
        wait_for_health(subscriber, free_of_reason)
        assert daemon.stop() == 0


def test_a_model_that_wants_more_than_the_limit_is_named_and_runs_where_it_may_have_it(
    tmp_path: Path, broker: Mosquitto, photos: Path
) -> None:
    huge = tmp_path / "huge.tflite"
    huge.write_bytes(tiny_model(TinyModel(shape=(1, 4600, 4600, 3))))  # 63 MB, and four times that once it is floats
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 1}}", more=f"model: {{path: {huge}}}")
    tell(daemon, "memory: 200")
    with daemon:
        assert daemon.process.wait(START_SECONDS) == 65
        assert "huge.tflite" in daemon.log
        assert "Traceback" not in daemon.log
    text = daemon.config.read_text("utf-8")
    daemon.config.write_text(text.replace("memory: 200", "memory: 1000"), "utf-8")
    with daemon:
        until(lambda: "labelling a" in daemon.log, START_SECONDS)


def test_workers_that_the_kernel_ends_for_their_memory_are_said_and_labels_come_back_when_there_is_more(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    interpreter = Interpreter(tmp_path)
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}")
    tell(daemon, f"python: {interpreter.path}")
    with memory_group(FAR_TOO_LITTLE_MB) as members, daemon:
        wait_for_labels(subscriber, START_SECONDS)
        interpreter.first(f"echo $$ >{members}")
        daemon.worker().kill()
        wait_for_health(subscriber, lambda said: said["inference"]["restarts"] >= 2, START_SECONDS)
        health = wait_for_health(subscriber, lambda said: "SIGKILL" in str(said["inference"]["reason"]))
        assert health["cameras"]["a"]["state"] == "running"
        interpreter.limit(None)
        wait_for_labels(subscriber, PAUSE_SECONDS)
        wait_for_health(subscriber, free_of_reason)
        assert daemon.stop() == 0


@contextlib.contextmanager
def memory_group(megabytes: int) -> Iterator[Path]:
    """A control group with so much memory. Gives the file that takes its members."""
    root = Path("/sys/fs/cgroup")
    group = (root / "memory" if (root / "memory").is_dir() else root) / f"edged-test-{os.getpid()}"
    try:
        group.mkdir()
        file = next(group / name for name in ("memory.max", "memory.limit_in_bytes") if (group / name).exists())
        file.write_text(str(megabytes * 2**20), "ascii")
    except (OSError, StopIteration) as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group for memory can be made here: {error!r}")
    members = group / "cgroup.procs"
    try:
        yield members
    finally:
        until(lambda: not members.read_text("ascii"))
        group.rmdir()


# Processes and threads


@pytest.fixture
def confined(tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber) -> Iterator[Daemon]:
    """A daemon whose user can be refused processes and threads."""
    cameras = f"  a: {{source: {photos}, fps: 20}}\n  b: {{source: {photos}, fps: 5}}\n"
    with as_ordinary_user(Daemon(tmp_path, broker.port, cameras)) as running:
        wait_for_labels(subscriber, START_SECONDS)
        wait_for_labels(subscriber, START_SECONDS, camera="b")
        yield running


def test_a_worker_that_cannot_be_started_is_said_and_labels_come_back_when_it_can(
    confined: Daemon, subscriber: Subscriber
) -> None:
    with fork_refused(confined):
        confined.worker().kill()
        wait_for_health(
            subscriber, lambda said: "cannot start the inference worker" in str(said["inference"]["reason"])
        )
        time.sleep(1)
        assert workers(confined) == []
    wait_for_labels(subscriber, PAUSE_SECONDS)
    wait_for_health(subscriber, free_of_reason)
    assert confined.log.count("cannot start the inference worker") <= 3, "said, and not again and again"
    assert confined.stop() == 0


def test_a_reload_that_gets_no_thread_is_refused_and_the_next_one_is_taken_on(
    confined: Daemon, subscriber: Subscriber
) -> None:
    text = confined.config.read_text("utf-8")
    confined.config.write_text(text.replace("fps: 5", "fps: 6"), "utf-8")
    with fork_refused(confined):
        confined.process.send_signal(signal.SIGHUP)
        until(lambda: "reload: " in confined.log)
        wait_for_labels(subscriber, back(), more=3)
        wait_for_labels(subscriber, back(), camera="b")
    assert "camera b is opened anew" not in confined.log
    confined.process.send_signal(signal.SIGHUP)
    until(lambda: "camera b is opened anew" in confined.log)
    wait_for_labels(subscriber, RETRY_SECONDS, camera="b")


def test_broker_and_cameras_come_back_after_they_were_lost_while_no_thread_could_be_started(
    confined: Daemon, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    away = photos.with_name("away")
    with fork_refused(confined):
        photos.rename(away)
        broker.restart()
        until(lambda: "trying again" in confined.log)
        time.sleep(1)
        away.rename(photos)
    wait_for_labels(subscriber, 2 * RETRY_SECONDS)
    wait_for_labels(subscriber, RETRY_SECONDS, camera="b")
    assert "Traceback" not in confined.log
    assert "unclosed" not in confined.log, "descriptors of what could not be started"


# Descriptors


def test_cameras_and_the_edge_tpu_come_back_after_no_descriptor_was_left(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    stand_in = StandIn(tmp_path / "edgetpu")
    other = shutil.copytree(photos, tmp_path / "other")
    cameras = f"  a: {{source: {photos}, fps: 10}}\n  b: {{source: {other}, fps: 10}}\n"
    more = f"model: {{path: {twin_package(tmp_path / 'twin')}}}"
    daemon = Daemon(tmp_path, broker.port, cameras, more=more)
    tell(daemon, f"device: edgetpu, edgetpu: {{library: {stand_in.library}}}")
    with daemon:
        until(lambda: "edgetpu" in {result["device"] for result in labels(subscriber)[-1:]}, START_SECONDS)
        holder = int(stand_in.loads()[-1].split()[0])
        with no_descriptor_left(daemon):
            psutil.Process(holder).kill()
            away = other.rename(tmp_path / "away")
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(3)
            away.rename(other)
        back = len(stand_in.loads())
        wait_for_labels(subscriber, PAUSE_SECONDS)
        wait_for_labels(subscriber, PAUSE_SECONDS, camera="b")
        until(lambda: len(stand_in.loads()) > back, START_SECONDS)
        until(lambda: "edgetpu" in {result["device"] for result in labels(subscriber)[-1:]}, START_SECONDS)
        assert "Traceback" not in daemon.log
        assert daemon.stop() == 0
