"""Power cuts at random moments of updates: everything is killed at once, and the daemon started anew."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psutil
from faults.scene import slack
from support.fleet_registry import NAME, Operator
from support.mosquitto import Mosquitto, Subscriber, until
from support.updating_device import make_updating_device

from edged.models.store import Entry, Store, is_whole
from edged.models.store_change import changing
from edged.updates.refusals import Refusals

if TYPE_CHECKING:
    from pathlib import Path

LABEL_SECONDS: Final = 3.0  # the stated bound: from the start to the first label
SETTLE_SECONDS: Final = 60.0  # for a whole update that nothing disturbs
LONGEST_SECONDS: Final = 6.0  # from the first label to the kill
MOST_CHANGES: Final = 40  # of the state folder, from the first label to the kill
STEPS: Final = ("downloading", "proving", "probation", "good", "rolled_back")
STEP_SECONDS: Final = 10.0  # from the first label to the kill, where it waits for something
SHORTLY_SECONDS: Final = 0.5  # after it
ROLLBACK_SHARE: Final = 0.15
KINDS: Final = ("good", "good", "good", "crash", "wrong")
BALLAST_BYTES: Final = 300_000  # of each package: with `disk: 1` some have to make room

log = logging.getLogger("walk")


@dataclass
class Tally:
    """What came of it.

    Attributes:
        starts: that labelled, with the seconds that each took.
        late: starts that held only since the bound is longer on a busy machine.
        failed: starts that did not hold, in words.
        during: kills, by what `…/model` said last.
        labelled_by: starts, by the model of the first label.
        published: versions, by what they do.
    """

    kills: int = 0
    late: int = 0
    failed: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    during: dict[str, int] = field(default_factory=dict)
    labelled_by: dict[str, int] = field(default_factory=dict)
    published: dict[str, int] = field(default_factory=dict)


class UpdateWalk:
    """A registry with ever newer versions, good and bad, and a device that is killed over them."""

    def __init__(self, folder: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  a walk, no secret
        self._operator = Operator.begin(folder)
        self._subscriber = subscriber
        self._store = Store(folder / "state")
        registry = f"url: '{self._operator.address}', root: {self._operator.folder}/root.json, interval: 300ms, disk: 1"
        self.daemon = make_updating_device(folder, broker, photos, registry, probation="results: 80, for: 500ms")
        self._kinds: dict[str, str] = {}
        self._newest = ""
        self.tally = Tally()
        self._publish("good")
        with changing(self._store) as change:  # as if it had come long ago
            staged = change.stage()
            for path in (folder / "workshop" / f"{self._newest}-tiny.tflite").iterdir():
                shutil.copy(path, staged)
            change.use(change.put_in(staged, "registry: before"))

    def go(self, kills: int) -> None:
        """So many starts, each of which ends in a kill."""
        for number in range(kills):
            self._publish_if_decided(self._chance.choice(KINDS))
            mark = len(self._subscriber.received)
            self._start(number, mark)
            if self._chance.random() < ROLLBACK_SHARE:
                self._subscriber.send("edged/test/model/set", json.dumps({"action": "rollback"}))
            moment = self._wait_for_moment(mark)
            self.end()
            phase = "-".join(self._phases(mark)[-1:]) or "start"
            _count(self.tally.during, phase)
            log.info("kill %d: %s; in %s", number, moment, phase)

    def settle(self) -> None:
        """Nothing disturbs it any more: the newest version is taken, and nothing lies about."""
        self._publish("good")
        wanted = self._newest
        mark = len(self._subscriber.received)
        self._start(-1, mark)
        with contextlib.ExitStack() as stack:
            stack.callback(self.end)
            until(lambda: wanted in self._good(), SETTLE_SECONDS * slack())
            until(lambda: not list((self._store.folder / "staging").iterdir()))
            until(lambda: len([path for path in self._store.folder.iterdir() if len(path.name) == 64]) <= 4)
            assert self.daemon.stop() == 0

    def _start(self, number: int, mark: int) -> None:
        """Start the daemon, and look at the first label."""
        good, bad = self._good(), {version for version, kind in self._kinds.items() if kind != "good"}
        assert not good & bad, f"marked good: {good & bad}"
        began, now = time.monotonic(), datetime.now(UTC)
        self.daemon.start()
        first: dict[str, Any] = {}

        def labelled() -> bool:
            for message in self._subscriber.received[mark:]:
                if message.topic.endswith("/labels"):
                    result = json.loads(message.payload)
                    if datetime.fromisoformat(result["time"]) > now:
                        first.update(result["model"])
                        return True
            return False

        bound = LABEL_SECONDS * slack()
        try:
            until(labelled, bound)
        except AssertionError:
            self._fail(f"start {number}: no label within {bound:.1f} s")
            return
        took = time.monotonic() - began
        self.tally.starts.append(took)
        self.tally.late += took > LABEL_SECONDS
        _count(self.tally.labelled_by, first["name"])
        if first["name"] != "base" and first["version"] not in good:
            self._fail(f"start {number}: labelled with {first}; good are {sorted(good)}")
        if first["name"] == "base" and good:
            self._fail(f"start {number}: the base model labelled, and there are {sorted(good)}")

    def _fail(self, text: str) -> None:
        log.error("%s", text)
        self.tally.failed.append(text)

    def _wait_for_moment(self, mark: int) -> str:
        """For a while, for so many changes of the state folder, or for a step of an update. Returns which, in words."""
        pause = self._chance.uniform(0.0, LONGEST_SECONDS)
        changes = self._chance.randint(1, MOST_CHANGES)
        step = self._chance.choice(STEPS)
        shortly = self._chance.uniform(0.0, SHORTLY_SECONDS)
        match self._chance.choice(("time", "changes", "step")):
            case "time":
                time.sleep(pause)
                return f"after {pause:.1f} s"
            case "changes":
                seen, left, deadline = self._look(), changes, time.monotonic() + STEP_SECONDS
                while left and time.monotonic() < deadline:
                    time.sleep(0.002)
                    now = self._look()
                    left -= now != seen
                    seen = now
                time.sleep(shortly / 10)
                return f"after {changes - left} changes of the state folder"
            case _:
                deadline = time.monotonic() + STEP_SECONDS
                while step not in self._phases(mark) and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(shortly)
                return f"{shortly:.2f} s after {step}"

    def _look(self) -> set[tuple[str, int]]:
        found = set()
        for folder, _, files in os.walk(self._store.folder.parent):
            for path in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118  quickly
                with contextlib.suppress(OSError):
                    found.add((path, os.lstat(path).st_mtime_ns))
        return found

    def end(self) -> None:
        """The daemon, its workers and its throw-away processes, as a power cut does."""
        if self.daemon.process.poll() is not None:
            return
        family = [self.daemon.process, *self.daemon.process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self.daemon.process.wait(5)
        psutil.wait_procs(family[1:], 5)
        self.tally.kills += 1

    def _phases(self, mark: int) -> list[str]:
        """What `…/model` has said since; the start itself left out."""
        said = [message for message in self._subscriber.received[mark:] if message.topic == "edged/test/model"]
        states = [json.loads(message.payload)["state"] for message in said if not message.retained]
        return [state for state, before in zip(states, ["good", *states], strict=False) if state != before]

    def _publish_if_decided(self, kind: str) -> None:
        version = self._newest
        decided = (
            not version
            or any(refusal == version for refusal in self._refused().values())
            or (any(entry.record.version == version and entry.record.state != "probation" for entry in self._entries()))
        )
        if decided:
            self._publish(kind)

    def _publish(self, kind: str) -> None:
        self._newest = version = f"2.{len(self._kinds)}.0"
        self._kinds[version] = kind
        _count(self.tally.published, kind)
        golden = [{"photo": "labels.txt", "labels": [{"text": "red", "confidence": 0.9}]}]
        more: dict[str, Any] = {"golden": golden} if kind == "wrong" else {}
        file = "crash-60.tflite" if kind == "crash" else "tiny.tflite"
        self._operator.publish(version, file, ballast=self._chance.randbytes(BALLAST_BYTES), **more)

    def _entries(self) -> list[Entry]:
        return [entry for entry in self._store.entries() if entry.record.name == NAME]

    def _refused(self) -> dict[str, str]:
        """Versions by digest."""
        refusals = Refusals(self._store.folder / "refused.json")
        found = {digest: refusals.of(digest) for digest in refusals.digests}
        return {digest: refusal.version for digest, refusal in found.items() if refusal is not None}

    def _good(self) -> set[str]:
        """Versions that are marked good, not refused, and whole: what may label at a start."""
        refused = self._refused()
        return {
            entry.record.version
            for entry in self._entries()
            if entry.record.state == "good" and f"sha256:{entry.digest}" not in refused and is_whole(entry)
        }


def _count(counts: dict[str, int], what: str) -> None:
    counts[what] = counts.get(what, 0) + 1
