"""The file of events: nothing lost, nothing skipped, whatever dies and whenever; and a stated loss where it must be."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edged.mqtt.event_messages import MAX_AGE_S, Event, Happening
from edged.outbox import Known, Missed, Outbox, State
from edged.outbox_file import open_outbox
from edged.updates.clock import BUILT

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def event(camera: str = "a", label: str = "Cat") -> Event:
    return Event(camera, Happening.APPEARED, label, 0.9, NOW, None)


def waiting(outbox: Outbox) -> list[dict[str, Any]]:
    return [json.loads(stored.payload) for stored in outbox.after(0, 1_000_000)]


def numbers(outbox: Outbox) -> list[int]:
    return [each["sequence"] for each in waiting(outbox)]


def test_sequence_goes_on_after_everything_was_acknowledged_and_the_file_opened_again(tmp_path: Path) -> None:
    for opened in range(3):
        with closing(open_outbox(tmp_path / "events.db")) as outbox:
            outbox.commit([event(), event()])
            assert numbers(outbox) == [2 * opened + 1, 2 * opened + 2]
            outbox.commit([], acknowledged=numbers(outbox))
            assert waiting(outbox) == []


def test_what_is_present_and_its_event_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    with closing(open_outbox(tmp_path / "events.db")) as outbox:
        wrong = Known("a", "cat", None, State.PRESENT)  # type: ignore[arg-type]  # what no column takes
        with pytest.raises(sqlite3.IntegrityError):
            outbox.commit([event()], [wrong])
        assert (waiting(outbox), outbox.known(), outbox.sequence) == ([], [], 0)
        outbox.commit([event()], [Known("a", "cat", "Cat", State.PRESENT)])
        assert numbers(outbox) == [1]


def test_beyond_the_bound_the_oldest_go_and_each_camera_is_told_of_its_own(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "events.db", max_events=20)) as outbox:
        for number in range(25):
            outbox.commit([event("ab"[number % 2])])
        lost = [each for each in waiting(outbox) if each["event_type"] == "lost"]
        assert {each["camera"] for each in lost} == {"a", "b"}
        assert covered(waiting(outbox)) == set(range(1, outbox.sequence + 1))
        assert outbox.waiting <= 20


def test_events_on_their_way_are_not_dropped(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "events.db", max_events=10)) as outbox:
        for _ in range(15):
            outbox.commit([event()], handed_over=4)
        assert numbers(outbox)[:4] == [1, 2, 3, 4]


def test_old_events_go_but_not_those_of_a_clock_that_was_not_set(tmp_path: Path) -> None:
    now = [0.0]
    with closing(Outbox(tmp_path / "events.db", clock=lambda: now[0])) as outbox:
        outbox.commit([event(label="1970")])
        outbox.commit([], acknowledged=[])
        now[0] = BUILT.timestamp() + 10
        outbox.commit([event(label="now")])
        assert [each["label"] for each in waiting(outbox)] == ["1970", "now"]
        outbox.commit([], acknowledged=[1])
        now[0] += MAX_AGE_S + 1
        outbox.commit([event(label="later")])
        assert [(each["event_type"], each.get("first")) for each in waiting(outbox)] == [
            ("appeared", None),
            ("lost", 2),
        ]


def test_events_that_could_not_be_written_get_numbers_and_are_stated(tmp_path: Path) -> None:
    with closing(open_outbox(tmp_path / "events.db")) as outbox:
        outbox.commit([event(), Missed("a", 3), event()])
        kinds = [(each["sequence"], each["event_type"], each.get("count")) for each in waiting(outbox)]
        assert kinds == [(1, "appeared", None), (5, "lost", 3), (6, "appeared", None)]


def test_a_second_process_does_not_get_the_file(tmp_path: Path) -> None:
    with closing(open_outbox(tmp_path / "events.db")) as outbox:
        outbox.commit([event()])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            open_outbox(tmp_path / "events.db")
    assert not (tmp_path / "events.db.damaged").exists()


def test_another_programs_file_is_set_aside(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.db")) as other, other:
        other.execute("CREATE TABLE presence (something)")
        other.execute("CREATE TABLE events (other)")
    with closing(open_outbox(tmp_path / "events.db")) as outbox:
        outbox.commit([event()])
        assert numbers(outbox) == [1]


def test_a_stale_log_beside_a_new_file_is_not_replayed(tmp_path: Path) -> None:
    """A kill between setting the damaged file aside and the last rename."""
    path = tmp_path / "events.db"
    with closing(Outbox(tmp_path / "events.db.new")) as outbox:
        outbox.commit([event(), event()])
    with closing(Outbox(path)) as outbox:
        outbox.commit([event(label="of the damaged one")])
        shutil.copy(tmp_path / "events.db-wal", tmp_path / "kept")
    path.unlink()
    (tmp_path / "kept").rename(tmp_path / "events.db-wal")
    with closing(open_outbox(path)) as outbox:
        assert [each["label"] for each in waiting(outbox)] == ["Cat", "Cat"]


def covered(events: list[dict[str, Any]]) -> set[int]:
    """The numbers that were published, or stated as lost."""
    have = {each["sequence"] for each in events}
    for each in events:
        if each["event_type"] == "lost":
            have |= set(range(each["first"], each["last"] + 1))
    return have


@settings(max_examples=40)
@given(st.data())
def test_a_file_with_any_damage_opens_and_no_number_comes_twice(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.db")
        with closing(open_outbox(path)) as outbox:
            outbox.commit([event() for _ in range(30)], [Known("a", "cat", "Cat", State.PRESENT)])
            outbox.commit([event()], acknowledged=range(1, 10))
            before = outbox.after(0, 100)
        raw = bytearray(path.read_bytes())
        page = data.draw(st.integers(0, len(raw) // 1024 - 1), "page")
        raw[page * 1024 : (page + 1) * 1024] = data.draw(st.sampled_from([b"\0" * 1024, os.urandom(1024), b""]), "harm")
        path.write_bytes(raw)
        with closing(open_outbox(path)) as outbox:
            outbox.commit([event()])
            after = outbox.after(0, 1000)
        with closing(open_outbox(path)) as outbox:  # and what it made of it is whole
            assert outbox.after(0, 1000) == after
        assert [stored.sequence for stored in after] == sorted({stored.sequence for stored in after})
        if path.with_name("events.db.damaged").exists() and any(stored in after for stored in before):
            start = next(stored.sequence for stored in after)
            got = covered([json.loads(stored.payload) for stored in after])
            assert set(range(start, after[-1].sequence + 1)) <= got, "a gap that nobody states"


class Crashes(RuleBasedStateMachine):
    """Any order of writing, acknowledging, closing and dying: what the disk holds at any step is a valid file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.outbox = open_outbox(self.folder / "events.db")
        self.published: dict[int, bytes] = {}
        self.acknowledged: set[int] = set()
        self.present: dict[tuple[str, str], State] = {}

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(many=st.integers(0, 4), camera=st.sampled_from("ab"), state=st.sampled_from(State))
    def write(self, many: int, camera: str, state: State) -> None:
        self.outbox.commit([event(camera)] * many, [Known(camera, "cat", "Cat", state)], acknowledged=self.acknowledged)
        self.present[camera, "cat"] = state
        self.acknowledged = set()

    @rule(most=st.integers(1, 3))
    def publish_and_acknowledge(self, most: int) -> None:
        for stored in self.outbox.after(max(self.acknowledged, default=0), most):
            assert self.published.setdefault(stored.sequence, stored.payload) == stored.payload
            self.acknowledged.add(stored.sequence)

    @rule()
    def remove(self) -> None:
        self.outbox.commit([], acknowledged=self.acknowledged)
        self.acknowledged = set()

    @rule()
    def die(self) -> None:
        """As SIGKILL does: the bytes that are in the files now are all there is."""
        after = Path(tempfile.mkdtemp())
        for file in self.folder.iterdir():
            shutil.copy(file, after)
        self.outbox.close()
        shutil.rmtree(self.folder)
        self.folder = after
        self.outbox = open_outbox(after / "events.db")
        self.acknowledged = set()

    @rule()
    def end(self) -> None:
        self.outbox.close()
        self.outbox = open_outbox(self.folder / "events.db")

    @invariant()
    def nothing_is_lost(self) -> None:
        stored = {each.sequence for each in self.outbox.after(0, 10_000)}
        assert stored | set(self.published) == set(range(1, self.outbox.sequence + 1))
        assert {(each.camera, each.slug): each.state for each in self.outbox.known()} == self.present
        assert self.outbox.waiting == len(stored)


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=20, stateful_step_count=20)


CHILD = """
import os, signal, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from edged.mqtt.event_messages import Event, Happening
from edged.outbox import Known, State
from edged.outbox_file import open_outbox
step, left = 0, int(sys.argv[2])
def trace(statement):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
outbox = open_outbox(Path(sys.argv[1]))
outbox._database.set_trace_callback(trace)
for number in range(1, 6):
    event = Event("a", Happening.APPEARED, str(number), 0.9, datetime.now(UTC), None)
    outbox.commit([event], [Known("a", "cat", str(number), State.PRESENT)], acknowledged=[number - 1])
    print(number, flush=True)
"""


@pytest.mark.parametrize("statements", [0, 1, 2, 3, 4, 5, 6, 8, 11, 14])
def test_a_kill_before_any_statement_leaves_state_and_event_together(tmp_path: Path, statements: int) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "events.db"), str(statements)]
    said = subprocess.run(command, capture_output=True, check=False, timeout=30, text=True).stdout.split()
    with closing(open_outbox(tmp_path / "events.db")) as outbox:
        committed = len(said)
        assert outbox.sequence == committed
        assert [known.text for known in outbox.known()] == said[-1:]
        assert numbers(outbox) == [int(number) for number in said[-1:]]
