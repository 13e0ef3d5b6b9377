"""Attacks on the registry of a daemon at work: labels go on, the reason is told, and a mended registry is taken up.

What each attack is to the client of the registry alone, `updates/test_forged.py` and `updates/test_bad_servers.py`
look at in every variation; `docs/tested.md` has the table.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from faults.wall_clock import WallClock
from support import static_server as faults
from support.daemon import Daemon, labels, wait_for_labels
from support.models import tiny_model
from support.mosquitto import Mosquitto, Subscriber, until
from support.signed_registry import Package, SignedRegistry, later
from support.static_server import StaticServer
from support.updating_device import make_updating_device

from edged.models.store import Store
from edged.models.store_change import changing
from edged.models.write_package import write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 30.0
"""For a step on a busy machine."""
LABELS = {"tiny.tflite": tiny_model(), "labels.txt": b"red\ngreen\nblue\n"}
YEARS = 4 * 365


def tiny(version: str, /, **claims: object) -> Package:
    members = [{"name": "colours", "model": "tiny.tflite", "labels": "labels.txt", "threshold": 0.0}]
    return Package("tiny", version, LABELS, {"members": members, **claims})


OLD, NEW = tiny("1.0.0"), tiny("1.1.0")


@dataclass
class Scene:
    """A registry, where it is served, and a daemon that has its first model."""

    registry: SignedRegistry
    server: StaticServer
    daemon: Daemon
    subscriber: Subscriber
    folder: Path

    def begin(self) -> None:
        with changing(Store(self.folder / "state")) as change:
            staged = change.stage()
            write_files(staged, {**OLD.files, "model.yaml": OLD.manifest})
            change.use(change.put_in(staged, "registry: before"))
        self.registry.offer(OLD)

    def evil(self) -> Path:
        """A copy of what is served, which is served from now on; it has news, so it is looked at."""
        self.registry.publish()
        copy = shutil.copytree(self.registry.folder, self.folder / f"evil-{self.registry.versions}")
        self.server.folder = copy
        return copy

    def mend(self) -> None:
        self.server.folder = self.registry.folder
        self.server.faults = {}

    def polls(self) -> int:
        """Begun so far."""
        return sum(path == "metadata/timestamp.json" for path, _ in self.server.requests)

    def model(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.subscriber.on("edged/test/model")[-1])
        return found

    def wait_for(self, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until(lambda: bool(self.subscriber.on("edged/test/model")) and right(self.model()), SECONDS)
        return self.model()

    def wait_for_error(self, words: str) -> None:
        """The reason is readable over MQTT and in the log, and labels go on with the model before."""
        said = self.wait_for(lambda said: re.search(words, said["last_error"] or "") is not None)
        assert (said["version"], said["state"]) == ("1.0.0", "good"), said
        wait_for_labels(self.subscriber, SECONDS, more=10)
        assert labels(self.subscriber)[-1]["model"]["version"] == "1.0.0"
        assert re.search(words, self.daemon.log), "in the log too"

    def wait_for_peace(self) -> None:
        said = self.wait_for(lambda said: said["last_error"] is None)
        assert (said["version"], said["candidate"]) == ("1.0.0", None)


@pytest.fixture
def scene(tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber) -> Iterator[Scene]:
    registry = SignedRegistry(tmp_path / "registry")
    with StaticServer(registry.folder) as server:
        words = f"url: '{server.url}', root: {registry.folder}/root.json, interval: 300ms"
        daemon = make_updating_device(tmp_path, broker, photos, words, name="tiny", probation="results: 20, for: 200ms")
        scene = Scene(registry, server, daemon, subscriber, tmp_path)
        scene.begin()
        yield scene


def unsigned(scene: Scene) -> None:
    path = scene.evil() / "metadata/timestamp.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "signatures": []}))


def signed_by_another(scene: Scene) -> None:
    thief = SignedRegistry(scene.folder / "thief")
    for _ in range(50):
        thief.publish()
    shutil.copy(thief.folder / "metadata/timestamp.json", scene.evil() / "metadata")


def replayed(scene: Scene) -> None:
    past = shutil.copytree(scene.registry.folder, scene.folder / "past")
    scene.evil()
    scene.mend()
    wait_for_request(scene, f"metadata/{scene.registry.versions}.targets.json")
    polls = scene.polls()
    until(lambda: scene.polls() > polls, SECONDS)  # so that poll is through
    scene.server.folder = past


def frozen(scene: Scene) -> None:
    scene.registry.renew(later(2 / 86400))


def mixed(scene: Scene) -> None:
    evil, last = scene.evil() / "metadata", scene.registry.versions
    shutil.copy(evil / f"{last - 1}.targets.json", evil / f"{last}.targets.json")


def bomb(scene: Scene) -> None:
    (scene.evil() / "metadata/timestamp.json").write_bytes(b'{"a":' * 2500 + b"1" + b"}" * 2500)


def nonsense(scene: Scene) -> None:
    scene.registry.put("channels/stable.json", b'{"schema":1,"channel":"stable","models":{"../x":{"version":"1.0.0"}}}')
    scene.registry.publish()


def contradiction(scene: Scene) -> None:
    scene.registry.offer(tiny("1.0.5", version="9.9.9"))


def climbing(scene: Scene) -> None:
    scene.registry.offer(tiny("1.0.6", files={"../../tiny.tflite": {"sha256": "0" * 64, "size": 1}}))


def answering(end: str, fault: faults.Fault) -> Callable[[Scene], None]:
    def attack(scene: Scene) -> None:
        scene.server.faults = {end: fault}
        scene.registry.publish()

    return attack


ATTACKS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "flipped bits": (answering("targets.json", faults.flipped), "damaged, or a mixture of two states"),
    "truncated": (answering("timestamp.json", faults.truncated), "broke off|ends after"),
    "endless": (answering("timestamp.json", faults.endless), "more than"),
    "unsigned": (unsigned, "not signed by"),
    "signed by another key": (signed_by_another, "not signed by"),
    "an older state": (replayed, "an older state than one seen before"),
    "the same state for ever": (frozen, "expired.*an old state is shown again and again"),
    "a mixture of states": (mixed, "a mixture of two states"),
    "a bomb": (bomb, "not a registry's signed metadata"),
    "signed nonsense": (nonsense, "should match pattern"),
    "a package that claims another version": (contradiction, "1.0.5/model.yaml"),
    "a path that climbs out": (climbing, "1.0.6/model.yaml"),
}


def wait_for_request(scene: Scene, path: str) -> None:
    until(lambda: (path, 200) in scene.server.requests, SECONDS)


def test_attacks_stop_no_label_are_told_and_a_mended_registry_is_taken_up(scene: Scene) -> None:
    with scene.daemon:
        scene.wait_for(lambda said: (said["version"], said["state"]) == ("1.0.0", "good"))
        wait_for_request(scene, "metadata/1.snapshot.json")
        for name, (attack, words) in ATTACKS.items():
            attack(scene)
            try:
                scene.wait_for_error(words)
                scene.mend()
                scene.registry.offer(OLD)
                scene.wait_for_peace()
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}; {scene.model()}") from error
        for _ in range(10):
            scene.registry.rotate_root()
        scene.server.faults = {"tiny.tflite": faults.flipped}
        files = dict(LABELS, **{"tiny.tflite": LABELS["tiny.tflite"] + bytes(10)})  # not copied from the old one
        new = Package("tiny", "1.1.0", files, NEW.claims)
        scene.registry.offer(new)
        scene.wait_for_error("tiny.tflite: damaged, or another file under its name")
        wait_for_request(scene, "metadata/11.root.json")
        assert {result["model"]["version"] for result in labels(scene.subscriber)} == {"1.0.0"}
        scene.mend()
        scene.wait_for(lambda said: (said["version"], said["state"], said["last_error"]) == ("1.1.0", "good", None))
        assert "Traceback" not in scene.daemon.log
        assert "internal error" not in scene.daemon.log


@pytest.mark.parametrize(("days", "words"), [(YEARS, "is expired"), (-YEARS, "the clock is not set")])
def test_wrong_clock_stops_no_label_and_one_that_is_set_right_takes_the_update(
    scene: Scene, tmp_path: Path, days: int, words: str
) -> None:
    clock = WallClock(tmp_path)
    clock.set(days)
    scene.daemon.environment = clock.environment
    scene.registry.offer(NEW)
    with scene.daemon:
        scene.wait_for_error(words)
        clock.set(0)
        scene.wait_for(lambda said: (said["version"], said["state"], said["last_error"]) == ("1.1.0", "good", None))
        assert "Traceback" not in scene.daemon.log
