"""What fails around updates while a daemon runs, and what it finds at its next start: labels go on, and say why."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from faults.disk import fill, make_read_only, small_disk
from support.daemon import Daemon, labels, wait_for_labels
from support.fleet_registry import NAME, Operator
from support.mosquitto import Mosquitto, Subscriber, until
from support.static_server import StaticServer, login_page, status
from support.updating_device import make_updating_device

from edged.cli.main import main
from edged.models.store import Entry, Store
from edged.models.store_change import changing
from edged.updates.shelf import MOST_TRIES, refusals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edged.models.record import State

SECONDS = 30.0
"""For a step on a busy machine."""
BACK_SECONDS = 10.0
OFTEN = "interval: 300ms"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator.begin(tmp_path)


@pytest.fixture
def device(tmp_path: Path, broker: Mosquitto, photos: Path) -> Callable[..., Daemon]:
    """A daemon of a registry, not started. Called with its address, further keys, and the terms of probation."""

    def make(url: str, keys: str = "", probation: str = "results: 20, for: 200ms") -> Daemon:
        registry = f"url: '{url}', root: {tmp_path}/registry/root.json, {OFTEN}{keys}"
        return make_updating_device(tmp_path, broker, photos, registry, probation=probation)

    return make


def put_in(state: Path, package: Path, mark: State = "good", *, use: bool = True) -> Entry:
    """Have a model in the store as if it had come long ago."""
    with changing(Store(state)) as change:
        staged = change.stage()
        for path in package.iterdir():
            shutil.copy(path, staged)
        entry = change.put_in(staged, "registry: before", mark)
        if use:
            change.use(entry)
        return entry


def wait_for_model(subscriber: Subscriber, right: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
    """The first thing that `…/model` says, from that message on, for which it is right."""
    found: list[dict[str, Any]] = []

    def come() -> bool:
        found[:] = [json.loads(payload) for payload in subscriber.on("edged/test/model")[since:]]
        return any(map(right, found))

    until(come, SECONDS)
    return next(said for said in found if right(said))


def is_good(said: dict[str, Any]) -> bool:
    return bool(said["state"] == "good")


def first_label(daemon: Daemon, subscriber: Subscriber) -> tuple[str, str]:
    """Start it; name and version of the model of its first label."""
    now = datetime.now(UTC)
    daemon.start()

    def since() -> list[dict[str, Any]]:
        return [result for result in labels(subscriber) if datetime.fromisoformat(result["time"]) > now]

    until(lambda: bool(since()), SECONDS)
    model = since()[0]["model"]
    return model["name"], model["version"]


@contextlib.contextmanager
def gone(server: StaticServer) -> Iterator[None]:
    server.shutdown()
    server.server_close()
    yield


@contextlib.contextmanager
def answering(fault: Callable[..., None], server: StaticServer) -> Iterator[None]:
    server.faults[""] = fault
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (gone, "refused"),
        (partial(answering, status(404)), "404"),
        (partial(answering, status(500)), "500"),
        (partial(answering, login_page), "a web page is there instead"),
    ],
    ids=["gone", "404", "500", "html"],
)
def test_registry_that_fails_is_named_once_and_taken_up_again_when_it_is_mended(  # noqa: PLR0913, PLR0917  fixtures
    device: Callable[..., Daemon],
    operator: Operator,
    subscriber: Subscriber,
    tmp_path: Path,
    fault: Callable[[StaticServer], contextlib.AbstractContextManager[None]],
    why: str,
) -> None:
    put_in(tmp_path / "state", operator.package("1.0.0"))
    operator.publish("1.0.0")
    with StaticServer(operator.folder) as server, device(server.url, ", automatic: false") as daemon:
        wait_for_model(subscriber, is_good)
        until(lambda: len(server.requests) > 9, SECONDS)  # the first poll is through
        with fault(server):
            said = wait_for_model(subscriber, lambda said: said["last_error"] is not None)
            assert why in said["last_error"].lower()
            assert (said["state"], said["version"]) == ("good", "1.0.0")
            wait_for_labels(subscriber, BACK_SECONDS, more=100)  # two seconds: several polls
        error = said["last_error"]
        count = len(subscriber.on("edged/test/model"))
        operator.publish("1.1.0")
        with StaticServer(operator.folder, port=server.server_port):
            said = wait_for_model(subscriber, lambda said: said["candidate"] is not None, count)
            assert (said["candidate"]["version"], said["last_error"]) == ("1.1.0", None)
        assert daemon.log.count(f"updates: {error}") == 1, "it is said once"
        assert "Traceback" not in daemon.log


def test_update_on_a_full_disk_is_said_and_the_registry_asked_again_when_there_is_room(
    device: Callable[..., Daemon], operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "state") as state:
        put_in(state, operator.package("1.0.0"))
        operator.publish("1.0.0")
        with device(operator.address) as daemon:
            wait_for_model(subscriber, is_good)
            fill(state)
            operator.publish("1.1.0")
            said = wait_for_model(subscriber, lambda said: said["last_error"] is not None)
            assert (said["state"], said["version"]) == ("good", "1.0.0")
            wait_for_labels(subscriber, BACK_SECONDS, more=50)
            count = len(subscriber.on("edged/test/model"))
            (state / "filler").unlink()
            wait_for_model(subscriber, lambda said: "MB are needed" in (said["last_error"] or ""), count)
            assert "MB are needed" in daemon.log, "a disk of 64 kB has no room for any update: it waits, and says so"
            assert "Traceback" not in daemon.log


def test_update_on_a_disk_that_takes_no_more_is_said_and_labels_go_on(
    device: Callable[..., Daemon], operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "state") as state:
        put_in(state, operator.package("1.0.0"))
        operator.publish("1.0.0")
        with device(operator.address) as daemon:
            wait_for_model(subscriber, is_good)
            wait_for_labels(subscriber, SECONDS)
            make_read_only(state)
            operator.publish("1.1.0")
            said = wait_for_model(subscriber, lambda said: said["last_error"] is not None)
            assert "read-only" in said["last_error"].lower()
            wait_for_labels(subscriber, BACK_SECONDS, more=50)
            assert labels(subscriber)[-1]["model"]["version"] == "1.0.0"
            assert "Traceback" not in daemon.log


def test_probation_that_a_power_cut_ends_begins_anew_after_a_start_with_the_last_good_model(
    device: Callable[..., Daemon], operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    put_in(tmp_path / "state", operator.package("1.0.0"))
    entry = put_in(tmp_path / "state", operator.package("1.1.0"), "probation", use=False)
    operator.publish("1.1.0")
    with device(operator.address, probation="results: 1000000, for: 1h") as daemon:
        wait_for_model(subscriber, lambda said: (said["state"], said["version"]) == ("probation", "1.1.0"))
        until(lambda: labels(subscriber)[-1]["model"]["version"] == "1.1.0", BACK_SECONDS)
    store = Store(tmp_path / "state")
    assert (found := store.entry(entry.digest)) is not None
    assert found.record.state == "probation"
    daemon = device(operator.address)
    with contextlib.ExitStack() as stack:
        count = len(subscriber.on("edged/test/model"))
        stack.push(daemon.__exit__)
        assert first_label(daemon, subscriber) == (NAME, "1.0.0")
        wait_for_model(subscriber, lambda said: (said["state"], said["version"]) == ("good", "1.1.0"), count)
    assert (active := store.active()) is not None
    assert active.digest == entry.digest


def test_choice_by_hand_of_the_model_before_ends_a_probation(
    device: Callable[..., Daemon], operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    put_in(tmp_path / "state", operator.package("1.0.0"))
    entry = put_in(tmp_path / "state", operator.package("1.1.0"), "probation", use=False)
    operator.publish("1.0.0")
    with device(operator.address, probation="results: 1000000, for: 1h") as daemon:
        wait_for_model(subscriber, lambda said: (said["state"], said["version"]) == ("probation", "1.1.0"))
        count = len(subscriber.on("edged/test/model"))
        assert main(["models", "use", f"{NAME}@1.0.0", "--state", str(tmp_path / "state")]) == 0
        wait_for_model(subscriber, lambda said: (said["state"], said["version"]) == ("good", "1.0.0"), count)
        until(lambda: labels(subscriber)[-1]["model"]["version"] == "1.0.0", BACK_SECONDS)
        assert daemon.stop() == 0
    store = Store(tmp_path / "state")
    assert (found := store.entry(entry.digest)) is not None
    assert (found.record.state, refusals_of(store).all) == ("rolled_back", ())


def test_probation_that_was_cut_off_too_often_is_refused_with_the_reason_and_labels_go_on(
    device: Callable[..., Daemon], operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    """As when the whole device goes down each time that this model labels: nothing tries it for ever."""
    put_in(tmp_path / "state", operator.package("1.0.0"))
    entry = put_in(tmp_path / "state", operator.package("1.1.0"), "probation")
    with changing(Store(tmp_path / "state")) as change:
        change.record(entry.digest, replace(entry.record, tries=MOST_TRIES))
    operator.publish("1.1.0")
    daemon = device(operator.address, ", automatic: false")
    with contextlib.ExitStack() as stack:
        stack.push(daemon.__exit__)
        assert first_label(daemon, subscriber) == (NAME, "1.0.0")
        said = wait_for_model(subscriber, lambda said: said["state"] == "rolled_back")
        why = f"the daemon or the whole device ended {MOST_TRIES} times"
        assert why in said["last_error"]
        assert why in daemon.log
        wait_for_labels(subscriber, BACK_SECONDS, more=20)
        assert labels(subscriber)[-1]["model"]["version"] == "1.0.0"
    assert f"sha256:{entry.digest}" in refusals_of(Store(tmp_path / "state")).digests


def flip(entry: Entry) -> None:
    path = entry.folder / "tiny.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(entry: Entry) -> None:
    path = entry.folder / "tiny.tflite"
    path.write_bytes(path.read_bytes()[:100])


def lose_manifest(entry: Entry) -> None:
    (entry.folder / "model.yaml").unlink()


def lose_labels(entry: Entry) -> None:
    (entry.folder / "labels.txt").unlink()


@pytest.mark.parametrize("damage", [flip, cut, lose_manifest, lose_labels])
def test_damaged_model_is_passed_over_at_the_start(
    device: Callable[..., Daemon],
    operator: Operator,
    subscriber: Subscriber,
    tmp_path: Path,
    damage: Callable[[Entry], None],
) -> None:
    before, active = (put_in(tmp_path / "state", operator.package(version)) for version in ("1.0.0", "1.1.0"))
    operator.publish("0.1.0")
    damage(active)
    daemon = device(operator.address, ", automatic: false")
    assert first_label(daemon, subscriber) == (NAME, "1.0.0")
    daemon.__exit__()
    damage(before)
    with contextlib.ExitStack() as stack:
        stack.push(daemon.__exit__)
        assert first_label(daemon, subscriber)[0] == "base"
        assert "cannot be used" in daemon.log
        assert "Traceback" not in daemon.log
