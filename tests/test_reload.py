"""SIGHUP: the cameras of a running daemon change, one by one."""

from __future__ import annotations

import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest
from support.daemon import Daemon, labels, wait_for_health, wait_for_labels
from support.mosquitto import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

START_SECONDS = 10.0


@pytest.fixture
def other_photos(photos: Path) -> Path:
    return shutil.copytree(photos, photos.with_name("other"))


@pytest.fixture
def daemon(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, other_photos: Path
) -> Iterator[Daemon]:
    cameras = f"  a: {{source: {photos}, fps: 8}}\n  b: {{source: {other_photos}, fps: 8}}\n"
    with Daemon(tmp_path, broker.port, cameras) as running:
        wait_for_labels(subscriber, START_SECONDS)
        wait_for_labels(subscriber, START_SECONDS, camera="b")
        yield running


def change(daemon: Daemon, old: str, new: str, said: str) -> None:
    """Write the file anew, tell the daemon, and wait for what it says."""
    text = daemon.config.read_text("utf-8")
    assert old in text
    daemon.config.write_text(text.replace(old, new), "utf-8")
    before = daemon.log.count(said)
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.log.count(said) > before)


def test_a_changed_camera_is_opened_anew_and_the_other_loses_no_frame(
    daemon: Daemon, subscriber: Subscriber, other_photos: Path
) -> None:
    moved = other_photos.rename(other_photos.with_name("moved"))
    wait_for_labels(subscriber, 5, more=3)
    change(daemon, str(other_photos), str(moved), "camera b is opened anew")
    wait_for_labels(subscriber, 5, camera="b", more=3)
    wait_for_labels(subscriber, 5, more=5)
    frames = [result["frame"] for result in labels(subscriber)]
    assert frames == list(range(frames[0], frames[0] + len(frames))), "camera a read on, frame by frame"
    assert "camera a is" not in daemon.log


def test_a_camera_comes_and_one_goes(daemon: Daemon, subscriber: Subscriber, photos: Path) -> None:
    change(daemon, "  b:", "  c:", "camera b is gone")
    wait_for_labels(subscriber, 5, camera="c", more=3)
    last = len(labels(subscriber, "b"))
    health = wait_for_health(subscriber, lambda said: set(said["cameras"]) == {"a", "c"})
    assert health["cameras"]["c"]["state"] in {"starting", "running"}
    wait_for_labels(subscriber, 5, more=5)
    assert len(labels(subscriber, "b")) == last
    assert photos.exists()


def test_other_labels_need_no_new_source(daemon: Daemon, subscriber: Subscriber) -> None:
    change(daemon, "fps: 8}\n  b", "fps: 8, labels: {max_results: 1, threshold: 0.0}}\n  b", "camera a: other labels")
    wait_for_labels(subscriber, 5, more=5)
    assert [len(result["labels"]) for result in labels(subscriber)[-3:]] == [1, 1, 1]
    frames = [result["frame"] for result in labels(subscriber)]
    assert frames == sorted(set(frames))


def test_a_wrong_configuration_is_refused_with_its_errors_and_the_old_one_stays(
    daemon: Daemon, subscriber: Subscriber
) -> None:
    change(daemon, "fps: 8}\n  b", "fps: often}\n  b", "refused, the configuration that was stays")
    assert "cameras.a.fps: 'often'" in daemon.log
    wait_for_labels(subscriber, 5, more=3)
    wait_for_labels(subscriber, 5, more=3, camera="b")
    change(daemon, "fps: often}", "fps: 8}", "no camera has changed")


def test_what_waits_for_a_restart_is_said(daemon: Daemon, subscriber: Subscriber) -> None:
    change(daemon, "deadline: 1s", "deadline: 2s", "the changes of inference wait for a restart")
    wait_for_labels(subscriber, 5, more=3)


def test_many_reloads_leave_no_thread_and_no_descriptor(daemon: Daemon, subscriber: Subscriber) -> None:
    def reload(number: int) -> None:
        change(daemon, f"fps: {8 + number}}}\n  b", f"fps: {9 + number}}}\n  b", "reload: camera a is opened anew")

    reload(0)
    time.sleep(1)
    threads, descriptors = daemon.process.num_threads(), daemon.process.num_fds()
    for number in range(1, 9):  # the log says the same sentence ten times
        reload(number)
    wait_for_labels(subscriber, 5, more=3)
    until(lambda: daemon.process.num_threads() <= threads and daemon.process.num_fds() <= descriptors)


def test_it_stops_in_time_right_after_a_reload(daemon: Daemon) -> None:
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.stop() == 0
