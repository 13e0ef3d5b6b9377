"""The newest frame of each camera, for one reader: never an old one, and every camera's turn comes."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from support.pictures import smooth

from edged.camera.frame import Frame
from edged.camera.newest import Newest
from edged.camera.picture import PackedPicture

PICTURE = PackedPicture(smooth(2, 2))


def frame(number: int) -> Frame:
    return Frame(PICTURE, number, 0.0, datetime.now(UTC))


def test_newer_frame_replaces_an_older_one() -> None:
    newest = Newest()
    assert not newest.put("porch", frame(1))
    assert newest.put("porch", second := frame(2))
    assert newest.take(0) == ("porch", second)
    assert newest.take(0) is None


def test_frame_that_was_put_back_gives_way_to_a_newer_one() -> None:
    newest = Newest()
    newest.put("porch", frame(1))
    taken = newest.take(0)
    assert taken is not None
    newest.put_back(*taken)
    assert newest.take(0) == taken
    newest.put("porch", second := frame(2))
    newest.put_back(*taken)
    assert newest.take(0) == ("porch", second)


@given(st.lists(st.one_of(st.sampled_from(["put a", "put b", "put c", "put d"]), st.just("take")), max_size=200))
def test_no_camera_waits_for_more_than_one_turn_of_each_other(steps: list[str]) -> None:
    """Whatever comes in whatever order: between a camera's frame and its turn, each other camera is served once."""
    newest, numbers = Newest(), dict.fromkeys("abcd", 0)
    waiting: dict[str, list[str]] = {}
    latest: dict[str, Frame] = {}
    for step in steps:
        if step == "take":
            taken = newest.take(0)
            if taken is None:
                assert not waiting
                continue
            camera, found = taken
            assert found is latest[camera]
            for served in waiting.values():
                served.append(camera)
            overtaken = waiting.pop(camera)[:-1]
            assert len(overtaken) == len(set(overtaken))
        else:
            camera = step[-1]
            numbers[camera] += 1
            latest[camera] = frame(numbers[camera])
            assert newest.put(camera, latest[camera]) == (camera in waiting)
            waiting.setdefault(camera, [])


def test_camera_at_full_speed_does_not_starve_the_others() -> None:
    newest, stop = Newest(), threading.Event()

    def flood() -> None:
        while not stop.is_set():
            newest.put("fast", frame(1))

    thread = threading.Thread(target=flood)
    thread.start()
    served = {"fast": 0, "slow": 0, "slower": 0}
    for _ in range(300):
        newest.put("slow", frame(1))
        newest.put("slower", frame(1))
        for _ in range(3):
            taken = newest.take(1.0)
            assert taken is not None
            served[taken[0]] += 1
    stop.set()
    thread.join()
    assert min(served.values()) >= 250


def test_reader_wakes_when_a_frame_comes_and_when_it_is_closed() -> None:
    newest = Newest()
    threading.Timer(0.05, newest.put, ("porch", frame(1))).start()
    began = time.monotonic()
    assert newest.take(5.0) is not None
    threading.Timer(0.05, newest.close).start()
    assert newest.take(5.0) is None
    assert time.monotonic() - began < 1.0


def test_nothing_is_left_of_a_camera_that_is_forgotten() -> None:
    newest = Newest()
    newest.put("porch", frame(1))
    taken = newest.take(0)
    assert taken is not None
    newest.put("porch", frame(2))
    newest.forget("porch")
    assert newest.wait_taken("porch", 0)
    newest.put_back(*taken)
    began = time.monotonic()
    assert newest.take(0.1) is None
    assert time.monotonic() - began >= 0.1, "the reader does not spin"


def test_writer_can_wait_until_its_frame_is_taken() -> None:
    newest = Newest()
    assert newest.wait_taken("porch", 0)
    newest.put("porch", frame(1))
    assert not newest.wait_taken("porch", 0.01)
    threading.Timer(0.05, newest.take, (0,)).start()
    assert newest.wait_taken("porch", 5.0)
    newest.put("porch", frame(2))
    newest.close()
    assert newest.wait_taken("porch", 5.0)
