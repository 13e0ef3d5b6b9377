"""Events on a disk that is full, or may not be written: a file system of its own, filled and remounted for real."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import make_client, soon
from support.sightings import sightings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

FLIPS = 60


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system (root may)")
    yield folder
    _run("umount", "-l", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def fill(disk: Path) -> Callable[[], None]:
    """Take all the room that there is; gives what frees it."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    assert shutil.disk_usage(disk).free == 0
    return (disk / "filler").unlink


def lock(disk: Path) -> Callable[[], None]:
    """Read-only, as a card that has failed becomes; gives what undoes it."""
    _run("mount", "-o", "remount,ro", str(disk))
    return lambda: _run("mount", "-o", "remount,rw", str(disk))


def delete(file: Path) -> None:
    for each in file.parent.iterdir():
        each.unlink()


def older(file: Path) -> None:
    """As a backup that is put back."""
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


@pytest.mark.parametrize("harm", [delete, older])
def test_a_file_that_is_taken_away_is_written_anew_and_numbers_go_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, harm: Callable[[Path], None]
) -> None:
    async def life(wanted: int, then: Callable[[Path], None]) -> None:
        async with sightings(make_client(broker.port), tmp_path / "state") as cat:
            for last in (wanted - 1, wanted):
                cat.flip()
                await soon(lambda last=last: sequences()[-1:] == [last])  # type: ignore[misc]
                then(tmp_path / "state" / "events.db")

    def sequences() -> list[int]:
        return [json.loads(event)["sequence"] for event in subscriber.on("edged/porch-pi/a/events")]

    asyncio.run(life(2, harm))
    asyncio.run(life(4, lambda _: None))
    assert sequences() == [1, 2, 3, 4]


# The kernel makes no file system read-only under a file that is open for writing: so that one only from the start.
@pytest.mark.parametrize(
    ("harm", "from_the_start"),
    [(fill, True), (lock, True), (fill, False)],
    ids=["full", "read-only", "full on the way"],
)
def test_events_wait_in_memory_and_come_in_order_once_there_is_room(
    disk: Path,
    broker: Mosquitto,
    subscriber: Subscriber,
    harm: Callable[[Path], Callable[[], None]],
    *,
    from_the_start: bool,
) -> None:
    async def scenario() -> None:
        client = make_client(broker.port)
        undo = harm(disk) if from_the_start else None
        async with sightings(client, disk / "state") as cat:
            await soon(lambda: client.state().connected)
            if undo is None:
                cat.flip()
                await soon(lambda: len(subscriber.on("edged/porch-pi/a/events")) == 1)
                undo = harm(disk)
            for _ in range(FLIPS):
                cat.flip()
            await soon(lambda: cat.events.health().reason is not None)
            right = b"ON" if cat.made % 2 else b"OFF"
            await soon(lambda: subscriber.on("edged/porch-pi/a/present/cat")[-1:] == [right])
            undo()
            await soon(lambda: cat.events.health().reason is None, 10)
            await soon(lambda: len(subscriber.on("edged/porch-pi/a/events")) >= cat.made)
            assert cat.events.health().lost == 0
            sequences = [json.loads(event)["sequence"] for event in subscriber.on("edged/porch-pi/a/events")]
            assert sequences == list(range(1, cat.made + 1))

    asyncio.run(scenario())
