"""The daemon from outside: what a subscriber sees."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.daemon import Daemon, labels, wait_for_labels
from support.mosquitto import Mosquitto, Subscriber, free_port, until

if TYPE_CHECKING:
    from pathlib import Path

    from edged.demo.media import Media

BACK_SECONDS = 1.0  # labels again after a worker's death, besides the deadline of a hang
START_SECONDS = 10.0
DEADLINE = 1.0


def test_labels_of_real_photos_arrive_on_a_real_broker(daemon: Daemon, subscriber: Subscriber) -> None:
    wait_for_labels(subscriber, 5, more=6)
    results = labels(subscriber)
    first = results[0]
    assert first.keys() == {"schema", "camera", "time", "frame", "labels", "model", "device", "timing_ms"}
    assert [first["schema"], first["camera"], first["device"]] == [1, "a", "cpu"]
    assert first["model"]["name"] == "base"
    assert first["model"]["digest"].startswith("sha256:")
    assert {"Egyptian cat", "Espresso"} <= {label["text"] for result in results for label in result["labels"]}
    frames = [result["frame"] for result in results]
    assert frames == sorted(set(frames))
    assert daemon.process.is_running()


def test_status_is_online_while_it_runs_and_offline_after_sigterm(daemon: Daemon, subscriber: Subscriber) -> None:
    assert subscriber.on("edged/test/status") == [b"online"]
    assert daemon.stop() == 0
    assert subscriber.on("edged/test/status") == [b"online", b"offline"]
    assert "stopping" in daemon.log


def test_status_is_offline_by_the_last_will_after_sigkill(daemon: Daemon, subscriber: Subscriber) -> None:
    worker = daemon.worker()
    daemon.process.kill()
    subscriber.wait_for(lambda message: message.payload == b"offline", 10)
    worker.wait(2)  # it does not outlive its daemon


def test_ctrl_c_stops_in_order(daemon: Daemon, subscriber: Subscriber) -> None:
    assert daemon.stop(signal.SIGINT) == 0
    assert subscriber.on("edged/test/status")[-1] == b"offline"


def test_a_terminal_that_is_closed_stops_it_where_otherwise_sighup_reloads(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    ours, theirs = os.openpty()
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}")
    with psutil.Popen([sys.executable, "-m", "edged", "run", "-c", daemon.config], stderr=theirs) as it:
        os.close(theirs)
        wait_for_labels(subscriber, START_SECONDS)
        it.send_signal(signal.SIGHUP)
        wait_for_labels(subscriber, START_SECONDS, more=5)
        os.close(ours)
        it.send_signal(signal.SIGHUP)
        assert it.wait(5) == 0
    until(lambda: subscriber.on("edged/test/status")[-1] == b"offline")  # it is still on its way to us


def test_two_cameras_each_have_their_own_rate_and_filters(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, media: Media
) -> None:
    cameras = (
        f"  a: {{source: {photos}, fps: 20, labels: {{allow: [espresso], threshold: 0.1}}}}\n"
        f"  b: {{source: {media.videos[0]}, fps: 4, labels: {{threshold: 0.0, max_results: 2}}}}\n"
    )
    with Daemon(tmp_path, broker.port, cameras):
        wait_for_labels(subscriber, START_SECONDS, camera="b")
        wait_for_labels(subscriber, 10, more=12, camera="b")
        assert len(labels(subscriber, "a")) > 2 * len(labels(subscriber, "b"))
        assert {label["text"] for result in labels(subscriber, "a") for label in result["labels"]} == {"Espresso"}
        assert all(len(result["labels"]) == 2 for result in labels(subscriber, "b"))


def test_a_wrong_configuration_ends_with_78_and_all_its_errors(tmp_path: Path) -> None:
    with Daemon(tmp_path, 1883, "  a: {source: photos, fps: fast, colour: red}") as daemon:
        assert daemon.process.wait(10) == 78
        assert "cameras.a.fps" in daemon.log
        assert "cameras.a.colour" in daemon.log
        assert "Traceback" not in daemon.log


@pytest.mark.parametrize(
    ("name", "data"), [("missing.tflite", None), ("text.tflite", b"no model at all"), ("empty.tflite", b"")]
)
def test_a_model_that_cannot_be_used_ends_with_65_and_the_reason(
    tmp_path: Path, photos: Path, name: str, data: bytes | None
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    more = f"model: {{path: {tmp_path / name}}}"
    with Daemon(tmp_path, free_port(), f"  a: {{source: {photos}}}", more=more) as daemon:
        assert daemon.process.wait(10) == 65
        assert name in daemon.log
        assert "Traceback" not in daemon.log


def test_a_model_that_is_not_on_the_device_ends_with_78(tmp_path: Path, photos: Path) -> None:
    with Daemon(tmp_path, free_port(), f"  a: {{source: {photos}}}", more="model: {name: flowers}") as daemon:
        assert daemon.process.wait(10) == 78
        assert "flowers" in daemon.log


def test_rates_in_health_are_those_of_a_while(tmp_path: Path, broker: Mosquitto, photos: Path) -> None:
    with (
        Subscriber(broker.port) as subscriber,
        Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}") as daemon,
    ):
        wait_for_labels(subscriber, START_SECONDS)
        time.sleep(6)
        for _ in range(3):  # each kill is a change of state, told at once
            daemon.worker().kill()
            wait_for_labels(subscriber, BACK_SECONDS)
        figures = [json.loads(payload) for payload in subscriber.on("edged/test/health")]
        late = [said["cameras"]["a"]["fps"] for said in figures if said["uptime_s"] > 6]
    assert late
    assert all(10 < fps < 25 for fps in late)


def test_the_log_can_be_json(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path) -> None:
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}}}", arguments=("--log-json",)) as daemon:
        wait_for_labels(subscriber, START_SECONDS)
        assert daemon.stop() == 0
        entries = [json.loads(line) for line in daemon.log.splitlines()]
    assert all(entry.keys() >= {"time", "level", "logger", "message"} for entry in entries)
