"""A state folder has one daemon; a second one says who was first, and the end of the first, however, lets go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support.daemon import Daemon, wait_for_labels

from edged.errors import ConfigError
from edged.one_daemon import LOCK, one_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

SECONDS = 20.0


def test_second_daemon_ends_with_78_and_names_the_first(
    tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber
) -> None:
    cameras = f"  a: {{source: {photos}, fps: 20}}"
    with Daemon(tmp_path, broker.port, cameras) as first:
        wait_for_labels(subscriber, SECONDS)
        second = Daemon(tmp_path, broker.port, cameras)
        with second:
            assert second.process.wait(SECONDS) == 78
        assert f"state: {tmp_path}/state: is in use by process {first.process.pid} (" in second.log
        assert f"run -c {second.config})" in second.log
        assert "Traceback" not in second.log
        wait_for_labels(subscriber, SECONDS)
        first.process.kill()
        with second:
            wait_for_labels(subscriber, SECONDS)
            assert second.stop() == 0


@pytest.mark.parametrize("left", [b"", b"rubbish", b"999999999\n"])
def test_holder_that_cannot_be_named_is_another_edged(tmp_path: Path, left: bytes) -> None:
    with one_daemon(tmp_path):
        (tmp_path / LOCK).write_bytes(left)
        with (
            pytest.raises(ConfigError, match=r"is in use by another edged; one daemon a state folder"),
            one_daemon(tmp_path),
        ):
            pass
    with one_daemon(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("harm", ["file", "link", "folder"])
def test_folder_that_cannot_be_held_is_no_end_of_the_daemon(tmp_path: Path, harm: str) -> None:
    state = tmp_path / "state"
    if harm == "file":
        state.write_bytes(b"")
    else:
        state.mkdir()
    if harm == "link":
        (state / LOCK).symlink_to(tmp_path / "elsewhere")
    elif harm == "folder":
        (state / LOCK).mkdir()
    with one_daemon(state):
        assert not (tmp_path / "elsewhere").exists()
