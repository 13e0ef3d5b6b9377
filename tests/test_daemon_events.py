"""Presence and events of a daemon at work, at a subscriber of a real broker, across kills of both."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from support.daemon import Daemon, wait_for_health, wait_for_labels
from support.mosquitto import Mosquitto, Subscriber, keeps, until

from edged.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path

CAT = "presence: {Cat: {on: 0.6, off: 0.4, hold_on: 0s, hold_off: 0.3s}}"
FLICKER = "presence: {'*': {on: 0.5, off: 0.4, hold_on: 0s, hold_off: 0s}}"


def camera(photos: Path, more: str, name: str = "a", fps: int = 20) -> str:
    return f"  {name}: {{source: {photos}, fps: {fps}, stall: 1s, {more}}}\n"


def events(subscriber: Subscriber, name: str = "a") -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in subscriber.on(f"edged/test/{name}/events")]


def present(subscriber: Subscriber, slug: str = "cat", name: str = "a") -> list[str]:
    return [payload.decode() for payload in subscriber.on(f"edged/test/{name}/present/{slug}")]


def last_sequence(folder: Path) -> int:
    """Of the last event that the daemon has written."""
    with closing(Outbox(folder / "state" / "events.db")) as outbox:
        return outbox.sequence


def only(photos: Path, *wanted: str) -> None:
    """Leave these photos in sight, and put the others aside."""
    aside = photos.parent / "aside"
    aside.mkdir(exist_ok=True)
    for photo in [*photos.iterdir(), *aside.iterdir()]:
        photo.rename((photos if photo.name in wanted else aside) / photo.name)


def test_cat_appears_and_disappears_and_survives_every_restart(
    tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber
) -> None:
    only(photos, "chelsea.png")
    with Daemon(tmp_path, broker.port, camera(photos, CAT)) as daemon:
        until(lambda: present(subscriber)[-1:] == ["ON"], 20)
        assert present(subscriber) == ["OFF", "ON"]
        until(lambda: len(events(subscriber)) == 1)
        first = events(subscriber)[0]
        assert (first["sequence"], first["event_type"], first["label"]) == (1, "appeared", "Cat")
        assert first["confidence"] >= 0.6
        assert first["model"]["name"] == "base"

        # Killed, and with it the broker, which forgets everything: the state is said again, the event is not.
        daemon.process.kill()
        daemon.process.wait()
        broker.restart()
        daemon.start()
        with Subscriber(broker.port) as again:
            until(lambda: present(again)[-1:] == ["ON"], 10)
            wait_for_labels(again, 20, more=20)
            assert set(present(again)) == {"ON"}
            assert {event["sequence"] for event in events(again)} <= {1}  # once more at most: it was killed

            # It goes while nobody looks.
            assert daemon.stop() == 0
            only(photos, "rocket.jpg")
            daemon.start()
            until(lambda: present(again)[-1:] == ["OFF"], 20)
            until(lambda: events(again)[-1]["event_type"] == "disappeared")
            assert events(again)[-1]["sequence"] == 2

            # A broker that was away is told what is so now.
            broker.restart()
            with Subscriber(broker.port) as third:
                until(lambda: present(third)[-1:] == ["OFF"], 10)
        assert daemon.stop() == 0
    with closing(sqlite3.connect(tmp_path / "state" / "events.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (0,)  # acknowledged, and so removed


def test_reload_takes_on_other_rules_and_clears_the_topics_of_what_is_gone(
    tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber
) -> None:
    only(photos, "chelsea.png")
    both = camera(photos, CAT) + camera(photos, CAT, "b")
    with Daemon(tmp_path, broker.port, both) as daemon:
        until(lambda: present(subscriber)[-1:] == ["ON"] and present(subscriber, name="b")[-1:] == ["ON"], 20)
        config = daemon.config.read_text()
        daemon.config.write_text(config.replace(both, camera(photos, "presence: {dog: {}}")))
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: present(subscriber)[-1:] == [""] and present(subscriber, name="b")[-1:] == [""])
        until(lambda: present(subscriber, "dog") == ["OFF"])
        until(lambda: all(events(subscriber, name)[-1]["event_type"] == "disappeared" for name in "ab"))
        with Subscriber(broker.port) as fresh:
            wait_for_labels(fresh, 10)
            assert {message.topic for message in fresh.received if "/present/" in message.topic} == {
                "edged/test/a/present/dog"
            }


def test_no_event_is_lost_or_out_of_order_when_daemon_and_broker_are_killed(tmp_path: Path, photos: Path) -> None:
    with (
        Mosquitto(tmp_path, lines=keeps(tmp_path)) as broker,
        Subscriber(broker.port, session="house") as subscriber,
        Daemon(tmp_path, broker.port, camera(photos, FLICKER, fps=50)) as daemon,
    ):
        began = time.time()
        until((tmp_path / "mosquitto.db").exists)
        until(lambda: (tmp_path / "mosquitto.db").stat().st_mtime > began)  # the subscriber's session is in it
        for _ in range(3):
            before = len(events(subscriber))
            until(lambda before=before: len(events(subscriber)) > before + 10, 20)  # type: ignore[misc]
            broker.restart()
            daemon.process.kill()
            daemon.process.wait()
            daemon.start()
        before = len(events(subscriber))
        until(lambda: len(events(subscriber)) > before + 10, 20)
        assert daemon.stop() == 0
        last = last_sequence(tmp_path)
        until(lambda: events(subscriber)[-1]["sequence"] >= last)
    seen = [event["sequence"] for event in events(subscriber)]
    firsts = list(dict.fromkeys(seen))
    assert firsts == list(range(1, last + 1))
    ids = {event["sequence"]: event["id"] for event in events(subscriber)}
    assert all(ids[event["sequence"]] == event["id"] for event in events(subscriber))
    assert len(set(ids.values())) == len(ids)


@pytest.mark.parametrize("harm", ["garbage", "cut", "directory"])
def test_daemon_labels_and_says_so_when_the_file_of_events_is_unusable(
    tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber, harm: str
) -> None:
    file = tmp_path / "state" / "events.db"
    with Daemon(tmp_path, broker.port, camera(photos, FLICKER)) as daemon:
        until(lambda: len(events(subscriber)) > 5, 20)
        daemon.stop()
        last = events(subscriber)[-1]["sequence"]
        if harm == "garbage":
            file.write_bytes(b"no database " * 1000)
        elif harm == "cut":
            file.write_bytes(file.read_bytes()[:-1000])
        else:
            file.unlink()
            file.mkdir()
        daemon.start()
        wait_for_labels(subscriber, 20)
        if harm == "directory":
            wait_for_health(subscriber, lambda health: bool(health["events"]["reason"]))
            assert "events wait in memory" in daemon.log
            file.rmdir()
            wait_for_health(subscriber, lambda health: health["events"]["waiting"] > 0 and health["events"]["reason"])
            until(lambda: "events: written again" in daemon.log, 10)
        else:
            until(lambda: "is damaged" in daemon.log)
            assert (tmp_path / "state" / "events.db.damaged").exists()
        before = len(events(subscriber))
        until(lambda: len(events(subscriber)) > before + 5, 10)
        if harm == "cut":  # the number was still to be found
            assert events(subscriber)[-1]["sequence"] > last
