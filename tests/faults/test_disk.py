"""The disk takes no more, or the state folder is gone: labels go on."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest
from faults.disk import fill, make_read_only, small_disk
from faults.scene import START_SECONDS, back
from support.daemon import Daemon, wait_for_health, wait_for_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber


@contextlib.contextmanager
def state_folder(tmp_path: Path, fault: str) -> Iterator[Callable[[], None]]:
    """The daemon's. Gives what makes the fault happen to it."""
    folder = tmp_path / "state"
    if fault == "removed":
        (folder / "below").mkdir(parents=True)
        yield lambda: shutil.rmtree(folder)
    else:
        with small_disk(folder):
            yield lambda: {"read-only": make_read_only, "full": fill}[fault](folder)


@pytest.mark.parametrize("fault", ["read-only", "full", "removed"])
def test_labels_go_on_when_the_state_folder_is(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, fault: str
) -> None:
    with (
        state_folder(tmp_path, fault) as happen,
        Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}") as daemon,
    ):
        wait_for_labels(subscriber, START_SECONDS)
        happen()
        wait_for_labels(subscriber, back(), more=10)
        daemon.worker().kill()  # what is started anew needs no state, and health is told of it
        wait_for_labels(subscriber, back(), more=2)
        health = wait_for_health(subscriber, lambda said: said["inference"]["restarts"] == 1)
        assert health["system"]["disk_free_mb"] is not None
        assert daemon.stop() == 0


def test_labels_go_on_when_the_disk_of_the_log_is_full(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    with (
        small_disk(tmp_path / "small") as folder,
        Daemon(folder, broker.port, f"  a: {{source: {photos}, fps: 20}}") as daemon,
    ):
        wait_for_labels(subscriber, START_SECONDS)
        fill(folder)
        daemon.worker().kill()
        wait_for_labels(subscriber, back(), more=2)
        (photos / "text.png").write_text("not a picture")
        wait_for_labels(subscriber, back(), more=10)
        assert daemon.stop() == 0
