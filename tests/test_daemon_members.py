"""A package of several models, groups and options, through the daemon: what a subscriber sees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from support.daemon import Daemon, wait_for_labels
from support.models import TinyModel, tiny_model, write_package
from support.mosquitto import Mosquitto, Subscriber, until

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 20.0


def package(folder: Path) -> Path:
    """Any picture is a "Thing" by groups, and half a "Person" by its second model."""
    people = TinyModel(weights=np.zeros((2, 3), np.float32))
    more = {
        "groups.json": b'{"Thing": [0, 1, 2]}',
        "people.tflite": tiny_model(people),
        "people.txt": b"Nobody\nPerson\n",
    }
    members = [
        {"name": "colours", "model": "tiny.tflite", "labels": "labels.txt", "groups": "groups.json"},
        {"name": "people", "model": "people.tflite", "labels": "people.txt", "activation": "sigmoid"},
    ]
    return write_package(folder, more=more, manifest={"members": members})


def labels(subscriber: Subscriber) -> list[dict[str, Any]]:
    return list(json.loads(subscriber.on("edged/test/a/labels")[-1])["labels"])


def test_members_groups_and_detail_reach_the_subscriber(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    cameras = f"  a: {{source: {photos}, fps: 20, labels: {{detail: everyday}}}}"
    more = f"model: {{path: {package(tmp_path / 'two')}}}"
    daemon = Daemon(tmp_path, broker.port, cameras, more=more)
    daemon.environment = {"STATE_DIRECTORY": str(tmp_path)}
    with daemon:
        wait_for_labels(subscriber, START_SECONDS)
        seen = {label["text"]: label for label in labels(subscriber)}
        assert seen.keys() == {"Thing", "Person", "Nobody"}
        assert "member" not in seen["Thing"]
        assert (seen["Person"]["member"], seen["Person"]["confidence"]) == ("people", 0.5)
        assert "has no effect" not in daemon.log
        assert daemon.stop() == 0
    assert len((tmp_path / "proved").read_text("ascii").split()) == 1, "it has proved itself, once"
    config = yaml.safe_load(daemon.config.read_text("utf-8"))
    config["model"]["members"] = ["people"]
    daemon.config.write_text(yaml.safe_dump(config), "utf-8")
    before = len(subscriber.on("edged/test/a/labels"))
    with daemon:
        until(lambda: len(subscriber.on("edged/test/a/labels")) > before, START_SECONDS)
        assert {label["text"] for label in labels(subscriber)} == {"Person", "Nobody"}
        assert daemon.stop() == 0
    config["model"]["members"] = ["persons"]
    daemon.config.write_text(yaml.safe_dump(config), "utf-8")
    with daemon:
        assert daemon.process.wait(START_SECONDS) == 65
        assert "has no member persons; it has colours, people" in daemon.log
        assert "Traceback" not in daemon.log
