"""The log does not repeat itself: no sentence that comes and goes, no daemon whose surroundings are broken."""

from __future__ import annotations

import logging
import re
import shutil
import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from support.daemon import Daemon
from support.mosquitto import Mosquitto, free_port, until

from edged.repeats import FIRST_PERIOD_SECONDS, LONGEST_PERIOD_SECONDS, MOST, REMEMBERED, Repeats

if TYPE_CHECKING:
    from pathlib import Path


class Log:
    """The filter at work, with a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self._filter = Repeats(lambda: self.now)

    def say(self, text: str, *values: object, level: int = logging.WARNING) -> None:
        record = logging.LogRecord("edged", level, __file__, 1, text, values, None)
        if self._filter.filter(record):
            self.lines.append(record.getMessage())


def test_a_sentence_that_comes_again_and_again_is_said_a_few_times() -> None:
    log = Log()
    for pid in range(1000):
        log.say("worker (pid %d) died after %.1f s", pid, pid / 7)
    assert log.lines == [f"worker (pid {pid}) died after {pid / 7:.1f} s" for pid in range(MOST)]


def test_other_sentences_and_other_levels_are_not_held_back_by_it() -> None:
    log = Log()
    for _ in range(100):
        log.say("camera a: gone")
    log.say("camera b: gone")
    log.say("camera a: gone", level=logging.ERROR)
    assert log.lines[MOST:] == ["camera b: gone", "camera a: gone"]


def test_after_a_while_it_is_said_again_with_how_many_were_not() -> None:
    log = Log()
    for _ in range(MOST + 37):
        log.say("gone")
    log.now += FIRST_PERIOD_SECONDS
    log.say("gone")
    assert log.lines[-1] == "gone (and 37 times more, which were not said)"
    log.say("gone")
    assert log.lines[-1] == "gone"


def test_a_camera_that_flaps_every_ten_seconds_leaves_a_few_lines_a_day() -> None:
    log = Log()
    days = 10
    while log.now < days * 86_400:
        log.say("camera a: gone; trying again")
        log.say("camera a: frames again", level=logging.INFO)
        log.now += 10
    assert len(log.lines) <= 2 * MOST * (days + 4)  # the first periods are shorter


def test_what_has_been_quiet_for_a_while_starts_anew() -> None:
    log = Log()
    for _ in range(MOST + 1):
        log.say("gone")
    log.now += FIRST_PERIOD_SECONDS
    log.say("gone")
    log.now += 2 * LONGEST_PERIOD_SECONDS
    before = len(log.lines)
    for _ in range(MOST):
        log.say("gone")
    assert len(log.lines) == before + MOST


@given(st.lists(st.tuples(st.floats(0, 5000), st.integers(0, 3)), max_size=300))
def test_whatever_comes_each_sentence_is_said_or_counted(steps: list[tuple[float, int]]) -> None:
    log = Log()
    for seconds, number in steps:
        log.now += seconds
        log.say("abcd"[number])
    log.now += LONGEST_PERIOD_SECONDS
    for letter in "abcd":
        log.say(letter)
    counted = sum(int(found[1]) for line in log.lines if (found := re.search(r"and (\d+) times", line)))
    assert len(log.lines) + counted == len(steps) + 4


def test_endless_different_sentences_take_bounded_memory() -> None:
    log = Log()
    for number in range(REMEMBERED * 3):
        log.say("file %s", "x" * (number % 700) + "y")
    assert len(log._filter._known) == REMEMBERED  # noqa: SLF001


def test_a_daemon_without_broker_and_camera_says_so_once(tmp_path: Path, photos: Path) -> None:
    port = free_port()
    cameras = f"  a: {{source: {photos}, fps: 20}}\n  b: {{source: {tmp_path}/nothing}}\n"
    cameras += "  c: {source: 'rtsp://127.0.0.1:1/none'}\n  d: {source: 'v4l2:/dev/video99'}\n"
    with Daemon(tmp_path, port, cameras) as daemon:
        until(lambda: daemon.log.count("trying again") >= 3 and "labelling" in daemon.log, 20)
        before = daemon.log
        time.sleep(4)  # two or three tries of each camera, and as many of the broker
        assert daemon.log == before
        assert daemon.log.count("no connection to") == 1
        assert daemon.log.count("trying again") == 3, daemon.log
        assert daemon.stop() == 0


def test_a_camera_and_a_broker_that_come_and_go_leave_a_bounded_log(tmp_path: Path, photos: Path) -> None:
    with Mosquitto(tmp_path) as broker, Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}") as daemon:
        until(lambda: "labelling" in daemon.log, 20)
        away = tmp_path / "away"
        for times in range(1, 2 * MOST + 1):
            photos.rename(away)
            shown = min(times, MOST)
            until(lambda shown=shown: daemon.log.count("trying again") >= shown, 20)  # type: ignore[misc]
            time.sleep(0.1)
            away.rename(photos)
            until(lambda shown=shown: daemon.log.count("frames again") >= shown, 20)  # type: ignore[misc]
            time.sleep(0.1)
        assert daemon.log.count("trying again") == MOST
        assert daemon.log.count("frames again") == MOST
        shutil.rmtree(photos)
        assert daemon.stop() == 0
