"""The daemon from outside while its parts die, hang, vanish and come back."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.daemon import Daemon, labels, wait_for_health, wait_for_labels
from support.mosquitto import Mosquitto, Subscriber, free_port, until

from edged.resources import data_path

if TYPE_CHECKING:
    from pathlib import Path


BACK_SECONDS = 1.0  # labels again after a worker's death, besides the deadline of a hang
START_SECONDS = 10.0
DEADLINE = 1.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_forces_the_end(daemon: Daemon, broker: Mosquitto, number: signal.Signals) -> None:
    broker.freeze()  # so that an orderly end has something to wait for
    daemon.process.send_signal(number)
    until(lambda: "stopping" in daemon.log)
    start = time.monotonic()
    assert daemon.stop(number) == 128 + number
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_labels_resume_within_a_second_after_the_worker_is_killed(
    daemon: Daemon, subscriber: Subscriber, number: signal.Signals
) -> None:
    pid = daemon.process.pid
    for _ in range(3):
        dead = daemon.worker()
        dead.send_signal(number)
        dead.wait(2)
        wait_for_labels(subscriber, BACK_SECONDS, more=2)
    assert daemon.process.pid == pid
    assert daemon.process.is_running()
    health = wait_for_health(subscriber, lambda said: said["inference"]["restarts"] == 3)
    assert number.name in daemon.log
    assert health["cameras"]["a"]["state"] == "running"


def test_labels_resume_after_a_hang_at_its_deadline(daemon: Daemon, subscriber: Subscriber) -> None:
    daemon.worker().suspend()
    wait_for_health(subscriber, lambda said: "did not give an inference in time" in (said["inference"]["reason"] or ""))
    wait_for_labels(subscriber, DEADLINE + BACK_SECONDS, more=2)
    wait_for_health(subscriber, lambda said: said["inference"]["restarts"] == 1 and said["inference"]["reason"] is None)


def test_it_stops_in_time_while_the_worker_hangs(daemon: Daemon) -> None:
    daemon.worker().suspend()
    assert daemon.stop() == 0


def test_labels_flow_again_after_the_broker_was_killed_and_retained_topics_are_right(
    daemon: Daemon, broker: Mosquitto
) -> None:
    broker.restart()  # without persistence: it has forgotten everything
    with Subscriber(broker.port) as later:
        later.wait_for(lambda message: message.topic == "edged/test/status" and message.payload == b"online", 10)
        wait_for_labels(later, 5)
        wait_for_health(later, lambda said: said["schema"] == 1)
    assert daemon.process.is_running()


def test_it_starts_without_a_broker_and_finds_it_later(tmp_path: Path, photos: Path) -> None:
    port = free_port()
    with Daemon(tmp_path, port, f"  a: {{source: {photos}, fps: 20}}") as daemon:
        until(lambda: "labelling a" in daemon.log, START_SECONDS)
        with Mosquitto(tmp_path, port=port) as broker, Subscriber(broker.port) as subscriber:
            wait_for_labels(subscriber, 10, more=3)
        assert daemon.stop() == 0


def test_it_stops_in_time_with_the_broker_frozen(daemon: Daemon, broker: Mosquitto) -> None:
    broker.freeze()
    assert daemon.stop() == 0


def test_a_frozen_broker_does_not_stop_the_labelling(daemon: Daemon, broker: Mosquitto, subscriber: Subscriber) -> None:
    broker.freeze()
    time.sleep(1)
    before = labels(subscriber)[-1]["frame"]
    broker.thaw()
    wait_for_labels(subscriber, 5, more=3)
    assert labels(subscriber)[-1]["frame"] > before + 10, "frames were labelled meanwhile"
    assert daemon.process.is_running()


def test_a_folder_that_goes_and_comes_back_is_said_in_health(
    daemon: Daemon, subscriber: Subscriber, photos: Path
) -> None:
    away = photos.with_name("away")
    photos.rename(away)
    gone = wait_for_health(subscriber, lambda said: said["cameras"]["a"]["state"] == "retrying")
    assert str(photos) in gone["cameras"]["a"]["reason"]
    away.rename(photos)
    wait_for_labels(subscriber, 5)
    back = wait_for_health(
        subscriber, lambda said: said["cameras"]["a"]["state"] == "running" and said["cameras"]["a"]["reconnects"] > 0
    )
    assert back["cameras"]["a"]["reason"] is None
    assert daemon.log.count("trying again") == 1, "said once"


def test_unreadable_photos_are_named_once_and_the_rest_go_on(
    daemon: Daemon, subscriber: Subscriber, photos: Path
) -> None:
    (photos / "broken.jpg").write_bytes((photos / "rocket.jpg").read_bytes()[:5000])
    (photos / "text.png").write_text("not a picture")
    until(lambda: "text.png" in daemon.log and "broken.jpg" in daemon.log)
    wait_for_labels(subscriber, 5, more=20)
    for name in ("text.png", "broken.jpg"):
        assert sum(name in line for line in daemon.log.splitlines()) == 1


@pytest.mark.parametrize("python", ["/bin/true", "/no/such/python"])
def test_an_interpreter_that_cannot_infer_is_said_in_health_and_the_rest_runs(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, python: str
) -> None:
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 5}}") as daemon:
        wait_for_labels(subscriber, START_SECONDS)
        assert daemon.stop() == 0
    config = daemon.config.read_text("utf-8").replace("threads: 1", f"threads: 1, python: {python}")
    daemon.config.write_text(config, "utf-8")
    with daemon:
        health = wait_for_health(subscriber, lambda said: said["inference"]["reason"] is not None, START_SECONDS)
        assert health["inference"]["device"] is None
        assert health["cameras"]["a"]["state"] in {"starting", "running"}
        until(lambda: "too often" in daemon.log or "next start in" in daemon.log, START_SECONDS)
        assert daemon.stop() == 0


def test_a_model_file_that_vanished_is_named_in_the_log(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    package = tmp_path / "package"
    shutil.copytree(data_path("models/base"), package, ignore=shutil.ignore_patterns("*.py", "base_model"))
    more = f"model: {{path: {package}}}"
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}", more=more) as daemon:
        wait_for_labels(subscriber, START_SECONDS)
        model = package / "efficientnet_lite0.tflite"
        away = model.rename(tmp_path / "away.tflite")
        daemon.worker().kill()
        until(lambda: "efficientnet_lite0.tflite" in daemon.log)
        away.rename(model)
        wait_for_labels(subscriber, 10)


def test_it_survives_having_no_descriptor_left(daemon: Daemon, subscriber: Subscriber, broker: Mosquitto) -> None:
    few, most = daemon.process.rlimit(psutil.RLIMIT_NOFILE)
    daemon.process.rlimit(psutil.RLIMIT_NOFILE, (daemon.process.num_fds() - 3, most))
    daemon.worker().kill()
    broker.restart()
    time.sleep(2)
    assert daemon.process.is_running()
    daemon.process.rlimit(psutil.RLIMIT_NOFILE, (few, most))
    wait_for_labels(subscriber, 70)  # the broker's pause may have grown meanwhile


def test_sigterm_ends_it_although_nobody_reads_its_log(tmp_path: Path, photos: Path) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    daemon = Daemon(tmp_path, free_port(), f"  a: {{source: {photos}, fps: 100}}", arguments=("--log-level", "debug"))
    with psutil.Popen(
        [sys.executable, "-m", "edged", "run", "-c", daemon.config, *daemon.arguments], stderr=write
    ) as it:
        os.close(write)
        time.sleep(3)
        it.terminate()
        assert it.wait(5) is not None
    os.close(read)


def test_memory_stays_bounded_while_the_broker_is_away(tmp_path: Path, photos: Path) -> None:
    with Daemon(tmp_path, free_port(), f"  a: {{source: {photos}, fps: 200}}") as daemon:
        until(lambda: "labelling a" in daemon.log, START_SECONDS)
        time.sleep(3)
        before = daemon.process.memory_info().rss
        time.sleep(4)
        assert daemon.process.memory_info().rss < before * 1.1
