"""A daemon whose models come from a signed registry: swapped between two frames, watched, and taken back."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.daemon import Daemon, labels, wait_for_health, wait_for_labels
from support.fleet_registry import NAME, Operator
from support.mosquitto import Mosquitto, Subscriber, until

from edged.cli.main import main
from edged.models.store import Store
from edged.models.store_change import changing
from edged.updates.refusals import Refusals
from edged.updates.shelf import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(__file__).parent / "support" / "named_worker.py"
SECONDS = 60.0
"""For a whole update on a busy machine: three processes that import a runtime."""
BACK_SECONDS = 10.0


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator.begin(tmp_path)


@pytest.fixture
def device(tmp_path: Path, broker: Mosquitto, photos: Path, operator: Operator) -> Daemon:
    """Not started: with a registry to publish into first."""
    return make_device(tmp_path, broker, photos, operator)


def make_device(folder: Path, broker: Mosquitto, photos: Path, operator: Operator) -> Daemon:
    more = (
        f"model: {{name: {NAME}}}\n"
        f"registry: {{url: '{operator.address}', root: {operator.folder}/root.json, interval: 1s,"
        f" probation: {{results: 20, for: 1s}}}}\n"
    )
    daemon = Daemon(folder, broker.port, f"  a: {{source: {photos}, fps: 20, labels: {{threshold: 0}}}}", more=more)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{WORKER}" "$@"\n')
    python.chmod(0o755)
    text = daemon.config.read_text("utf-8").replace("deadline: 1s", f"deadline: 1s, python: {python}")
    daemon.config.write_text(text, "utf-8")
    return daemon


def model(subscriber: Subscriber) -> dict[str, Any]:
    """What `…/model` says now."""
    found: dict[str, Any] = json.loads(subscriber.on("edged/test/model")[-1])
    return found


def wait_for_model(
    subscriber: Subscriber, right: Callable[[dict[str, Any]], bool], seconds: float = SECONDS
) -> dict[str, Any]:
    until(lambda: bool(subscriber.on("edged/test/model")) and right(model(subscriber)), seconds)
    return model(subscriber)


def is_good(version: str) -> Callable[[dict[str, Any]], bool]:
    return lambda said: (said["version"], said["state"]) == (version, "good")


def is_good_base(said: dict[str, Any]) -> bool:
    return (said["name"], said["state"]) == ("base", "good")


def refusing(version: str, said: dict[str, Any]) -> bool:
    """Whether a version has failed before it labelled."""
    return said["last_error"] is not None and version in json.dumps(said["candidate"])


def is_back(said: dict[str, Any]) -> bool:
    return bool(said["state"] == "rolled_back")


def command(subscriber: Subscriber, **words: str) -> dict[str, Any]:
    """Send a command and wait for its result."""
    key = f"{time.monotonic()}"
    subscriber.send("edged/test/model/set", json.dumps({**words, "id": key}))
    results: list[dict[str, Any]] = []

    def come() -> bool:
        results[:] = [json.loads(payload) for payload in subscriber.on("edged/test/result")]
        return any(result["id"] == key for result in results)

    until(come, SECONDS)
    return next(result for result in results if result["id"] == key)


def last_version(subscriber: Subscriber) -> str:
    version: str = labels(subscriber)[-1]["model"]["version"]
    return version


def test_a_published_model_labels_without_a_frame_lost_and_is_marked_good(
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_labels(subscriber, SECONDS)
        assert labels(subscriber)[0]["model"]["name"] == "base", "the base model labels until it is here"
        wait_for_model(subscriber, is_good("1.0.0"))
        operator.publish("1.1.0")
        said = wait_for_model(subscriber, is_good("1.1.0"))
        until(lambda: last_version(subscriber) == "1.1.0")
        frames = [result["frame"] for result in labels(subscriber)]
        assert said["previous"]["version"] == "1.0.0"
        assert said["last_error"] is None
        states = [json.loads(payload)["state"] for payload in subscriber.on("edged/test/model")]
        assert "probation" in states
        assert frames == sorted(set(frames)), "each frame is labelled once, in order"
        update = json.loads(subscriber.on("edged/test/update")[-1])
        assert (update["installed_version"], update["in_progress"], update["update_percentage"]) == (
            "1.1.0",
            False,
            None,
        )
        assert device.stop() == 0
    active = Store(tmp_path / "state").active()
    assert active is not None
    assert active.record.version == "1.1.0"
    count = len(labels(subscriber))
    with device:
        wait_for_labels(subscriber, SECONDS)
        assert labels(subscriber)[count]["model"]["version"] == "1.1.0", "from its first label on"


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("crash-30.tflite", "the inference process died with it"),
        ("hang-30.tflite", "the inference process died with it"),
        ("slow-20.tflite", "ms for a frame; the model before took"),
    ],
)
def test_a_model_that_fails_on_probation_goes_back_by_itself_and_is_refused(  # noqa: PLR0913, PLR0917  fixtures
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path, file: str, why: str
) -> None:
    device.config.write_text(device.config.read_text("utf-8").replace("results: 20", "results: 60"), "utf-8")
    operator.publish("1.0.0")
    with device:
        wait_for_labels(subscriber, SECONDS)
        wait_for_model(subscriber, is_good("1.0.0"), 2 * SECONDS)
        operator.publish("1.1.0", file)
        said = wait_for_model(subscriber, is_back)
        assert why in said["last_error"]
        assert said["version"] == "1.0.0"
        until(lambda: last_version(subscriber) == "1.0.0", BACK_SECONDS)
        wait_for_health(subscriber, lambda health: health["model"]["state"] == "rolled_back")
        wait_for_labels(subscriber, BACK_SECONDS, more=20)
        assert last_version(subscriber) == "1.0.0", "it is not taken again"
        refused = Refusals(Store(tmp_path / "state").folder / "refused.json")
        assert len(refused.digests) == 1
        operator.publish("1.2.0")
        wait_for_model(subscriber, is_good("1.2.0"))


def test_a_model_that_is_wrong_never_labels(device: Daemon, operator: Operator, subscriber: Subscriber) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, is_good("1.0.0"))
        for version, wrong in (
            ("1.1.0", {"golden": [{"photo": "labels.txt", "labels": [{"text": "red", "confidence": 0.9}]}]}),
            ("1.2.0", {"members": [{"name": "colours", "model": "labels.txt"}]}),
        ):
            operator.publish(version, **wrong)
            said = wait_for_model(subscriber, partial(refusing, version))
            assert said["version"] == "1.0.0"
        operator.publish("1.3.0")
        wait_for_model(subscriber, is_good("1.3.0"))
        versions = {result["model"]["version"] for result in labels(subscriber) if result["model"]["name"] == NAME}
        assert versions == {"1.0.0", "1.3.0"}


def test_rollback_use_and_update_by_hand(device: Daemon, operator: Operator, subscriber: Subscriber) -> None:
    device.config.write_text(
        device.config.read_text("utf-8").replace("interval: 1s", "interval: 1h, automatic: false"), "utf-8"
    )
    operator.publish("1.0.0")
    with device:
        wait_for_labels(subscriber, SECONDS)
        wait_for_model(subscriber, lambda said: said["candidate"] is not None)
        offered = json.loads(subscriber.on("edged/test/update")[-1])
        assert offered["latest_version"] == f"{NAME} 1.0.0", "1.0.0 of one model is no older than 1.1.0 of another"
        assert offered["installed_version"].startswith("base ")
        assert last_version(subscriber) != "1.0.0" or labels(subscriber)[-1]["model"]["name"] == "base"
        assert command(subscriber, action="update")["ok"]
        wait_for_model(subscriber, is_good("1.0.0"))
        operator.publish("1.1.0")
        assert command(subscriber, action="update")["ok"]
        wait_for_model(subscriber, is_good("1.1.0"))
        assert json.loads(subscriber.on("edged/test/update")[-1])["installed_version"] == "1.1.0"
        assert command(subscriber, action="update")["ok"], "there is nothing newer"
        assert model(subscriber)["previous"]["version"] == "1.0.0"
        assert command(subscriber, action="use", name=NAME, version="1.0.0")["ok"]
        wait_for_model(subscriber, is_good("1.0.0"))
        assert command(subscriber, action="use", name=NAME, version="1.1.0")["ok"]
        assert command(subscriber, action="rollback")["ok"]
        said = wait_for_model(subscriber, is_back)
        assert (said["version"], said["last_error"]) == ("1.0.0", "rolled back by hand")
        assert command(subscriber, action="use", name="base")["ok"]
        assert wait_for_model(subscriber, is_good_base)["previous"]["version"] == "1.0.0"
        assert command(subscriber, action="rollback")["ok"], "from the base model to the choice before"
        wait_for_model(subscriber, is_good("1.0.0"))
        assert command(subscriber, action="use", name=NAME, version="1.1.0")["ok"]
        assert command(subscriber, action="rollback")["ok"]
        assert not command(subscriber, action="use", name="nobody")["ok"]
        assert not command(subscriber, action="dance")["ok"]
        assert model(subscriber)["last_error"] == "rolled back by hand", "words that do not fit are no failed update"


def test_edged_models_use_reaches_a_running_daemon(
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, is_good("1.0.0"))
        with changing(Store(tmp_path / "state")) as change:
            change.use(None)
        said = wait_for_model(subscriber, lambda said: said["name"] == "base")
        assert said["state"] == "good"
        until(lambda: labels(subscriber)[-1]["model"]["name"] == "base", BACK_SECONDS)


def test_edged_models_update_and_rollback_reach_a_daemon_that_runs_and_one_that_starts(
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    text = (
        device.config.read_text("utf-8").replace("interval: 1s", "interval: 1h").replace("results: 20", "results: 100")
    )
    device.config.write_text(text, "utf-8")
    update = ["models", "update", "-c", str(device.config)]
    with device:
        wait_for_labels(subscriber, SECONDS)
        wait_for_model(subscriber, is_good_base)
        operator.publish("1.0.0")
        assert main(update) == 0
        wait_for_model(subscriber, is_good("1.0.0"))
        device.process.kill()
        device.process.wait()
    operator.publish("1.1.0", "crash-30.tflite")
    assert main(update) == 0
    count = len(labels(subscriber))
    with device:
        wait_for_labels(subscriber, SECONDS)
        assert labels(subscriber)[count]["model"]["version"] == "1.0.0", "it begins with one that has done well"
        said = wait_for_model(subscriber, is_back)
        assert (said["version"], "the inference process died with it" in said["last_error"]) == ("1.0.0", True)
        assert main(["models", "rollback", "--state", str(tmp_path / "state")]) == 0
        said = wait_for_model(subscriber, lambda said: said["last_error"] == BY_HAND)
        assert (said["name"], said["state"]) == ("base", "rolled_back")
        assert len(Refusals(Store(tmp_path / "state").folder / "refused.json").all) == 2
        assert device.stop() == 0


def test_a_revoked_model_is_taken_out(device: Daemon, operator: Operator, subscriber: Subscriber) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, is_good("1.0.0"))
        operator.publish("1.1.0")
        wait_for_model(subscriber, is_good("1.1.0"))
        operator.revoke("1.1.0", "takes cats for birds")
        said = wait_for_model(subscriber, is_back)
        assert "takes cats for birds" in said["last_error"]
        assert said["version"] == "1.0.0"
        result = command(subscriber, action="use", name=NAME, version="1.1.0")
        assert (result["ok"], result["error"]) == (False, f"{NAME}@1.1.0: it is revoked: takes cats for birds")
        assert command(subscriber, action="use", name=NAME)["ok"], "of the name alone one that is not revoked"
        assert model(subscriber)["version"] == "1.0.0"


def test_an_update_that_is_asked_for_while_another_goes_on_is_answered(
    device: Daemon, operator: Operator, subscriber: Subscriber
) -> None:
    text = device.config.read_text("utf-8").replace("interval: 1s", "interval: 1h, automatic: false")
    device.config.write_text(text, "utf-8")
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, lambda said: said["candidate"] is not None)
        subscriber.send("edged/test/model/set", json.dumps({"action": "update", "id": "first"}))
        wait_for_model(subscriber, lambda said: said["state"] in {"downloading", "proving"})
        assert command(subscriber, action="update")["ok"]
        assert {json.loads(payload)["id"] for payload in subscriber.on("edged/test/result")} > {"first"}


def test_a_configured_model_that_is_not_here_is_said_for_as_long_as_another_labels(
    device: Daemon, operator: Operator, subscriber: Subscriber
) -> None:
    with device:
        said = wait_for_model(
            subscriber, lambda said: said["last_error"] is not None and "device" in said["last_error"]
        )
        assert said["last_error"] == f"model {NAME} is not on this device: base labels"
        wait_for_health(subscriber, lambda health: health["model"]["last_error"] == said["last_error"])
        operator.publish("1.0.0")
        assert wait_for_model(subscriber, is_good("1.0.0"))["last_error"] is None


def test_a_model_on_probation_may_be_asked_for_again_and_again(
    device: Daemon, operator: Operator, subscriber: Subscriber
) -> None:
    text = device.config.read_text("utf-8").replace("results: 20, for: 1s", "results: 100, for: 10s")
    device.config.write_text(text, "utf-8")
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, lambda said: said["state"] == "probation")
        for _ in range(5):
            assert command(subscriber, action="use", name=NAME)["ok"]
        since = model(subscriber)["since"]
        assert wait_for_model(subscriber, is_good("1.0.0"))["since"] == since


def test_who_asks_does_not_wait_for_the_window(device: Daemon, operator: Operator, subscriber: Subscriber) -> None:
    start, end = (datetime.now().astimezone() + timedelta(hours=hours) for hours in (2, 3))
    window = f"interval: 1h, window: '{start:%H:%M}-{end:%H:%M}'"
    device.config.write_text(device.config.read_text("utf-8").replace("interval: 1s", window), "utf-8")
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, lambda said: "it waits for the window" in str(said["last_error"]))
        assert command(subscriber, action="update")["ok"]
        wait_for_model(subscriber, is_good("1.0.0"))


def test_nothing_that_is_revoked_is_a_way_back(
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    with device:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            operator.publish(version)
            wait_for_model(subscriber, is_good(version))
        operator.revoke("1.1.0", "takes cats for birds")
        refused = Refusals(Store(tmp_path / "state").folder / "refused.json")
        until(lambda: [refusal.version for refusal in refused.all] == ["1.1.0"], SECONDS)
        assert command(subscriber, action="rollback")["ok"]
        assert wait_for_model(subscriber, is_back)["version"] == "1.0.0"


def test_each_topic_of_the_model_is_told_when_it_says_something_else(
    device: Daemon, operator: Operator, subscriber: Subscriber
) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, is_good("1.0.0"))
    for topic in ("model", "update"):
        said = subscriber.on(f"edged/test/{topic}")
        assert all(before != after for before, after in pairwise(said)), topic
        assert b'"base"' in said[0], "not before it is known which model labels"


def test_without_its_state_folder_it_labels(
    device: Daemon, operator: Operator, subscriber: Subscriber, tmp_path: Path
) -> None:
    operator.publish("1.0.0")
    with device:
        wait_for_model(subscriber, is_good("1.0.0"))
        device.process.kill()
        device.process.wait()
    shutil.rmtree(tmp_path / "state")
    count = len(labels(subscriber))
    with device:
        wait_for_labels(subscriber, SECONDS)
        assert labels(subscriber)[count]["model"]["name"] == "base"
        wait_for_model(subscriber, is_good("1.0.0"))
