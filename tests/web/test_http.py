"""The HTTP interface of a daemon at work: what is read, what is changed, what is streamed."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import simplejpeg
from support.mosquitto import HOST, Subscriber, until

if TYPE_CHECKING:
    from support.daemon import Daemon
    from support.mosquitto import Mosquitto
    from support.page import Asker


def test_frames_that_flow_are_200_and_a_camera_that_gives_none_is_503_with_the_reason(ask: Asker) -> None:
    assert (ask("/healthz").status, ask("/healthz").json) == (200, {"status": "ok", "reason": None})


def test_settings_are_changed_by_the_same_words_as_over_mqtt_and_told_there(
    ask: Asker, module_broker: Mosquitto
) -> None:
    with Subscriber(module_broker.port) as subscriber:
        before = ask("/api/cameras/a").json["settings"]
        assert ask.post("/api/cameras/a/threshold", {"value": 0.9, "id": "from-the-page"}).json == {"done": True}
        assert ask("/api/cameras/a").json["settings"]["threshold"] == 0.9
        until(lambda: any(b"from-the-page" in payload for payload in subscriber.on("edged/test/result")))
        until(lambda: json.loads(subscriber.on("edged/test/a/settings")[-1])["threshold"] == 0.9)
        assert ask.post("/api/cameras/a/threshold", {"value": None}).status == 200
        assert ask("/api/cameras/a").json["settings"] == before


def test_what_is_no_command_is_refused_in_the_words_of_the_topic(ask: Asker) -> None:
    wrong: dict[str, list[object]] = {
        "/api/cameras/a/threshold": [
            {"value": 2},
            {"value": "much"},
            {},
            [1],
            {"value": 1, "more": 1},
            0.5,
            {"value": "1"},
        ],
        "/api/cameras/a/fps": [{"value": 0}, {"value": 1e9}],
        "/api/cameras/a/enabled": [{"value": "maybe"}, True, {"value": "on"}, {"value": "null"}],
        "/api/model": [{"action": "dance"}, {"action": "use"}, {"action": "update", "name": "x"}],
        "/api/inference": [{"action": "stop"}],
    }
    for path, bodies in wrong.items():
        for body in bodies:
            answer = ask.post(path, body)
            assert (answer.status, bool(answer.json["error"])) == (422, True), (path, body)
    assert ask.post("/api/cameras/b/fps", {"value": 1}).status == 404
    assert ask.post("/api/cameras/a/colour", {"value": 1}).status == 404
    assert ask("/api/model", "POST", "not JSON", content_type="application/json").status == 422
    assert ask("/api/model", "POST", "x" * 20_000, content_type="application/json").status == 413
    refused = ask.post("/api/model", {"action": "use", "name": "nobody"})
    assert (refused.status, "no model nobody on this device" in refused.json["error"]) == (409, True)
    assert ask.post("/api/model", {"action": "update"}).status == 409


def test_a_rate_that_is_hardly_any_loses_no_camera(ask: Asker) -> None:
    assert ask.post("/api/cameras/a/fps", {"value": 1e-300}).status == 422
    assert ask.post("/api/cameras/a/fps", {"value": 1e-6}).status == 200  # the least
    time.sleep(1)
    assert ask("/api/cameras/a").json["state"] == "running"
    assert ask.post("/api/cameras/a/fps", {"value": None}).status == 200


def test_events_and_presence_are_those_that_were_published(ask: Asker) -> None:
    until(lambda: len(ask("/api/events").json["events"]) > 2, 10)
    newest = ask("/api/events?limit=1").json["events"]
    assert len(newest) == 1
    assert newest[0].keys() == {"event_type", "camera", "label", "confidence", "time"}
    told = ask("/api/presence?minutes=5").json["labels"]
    assert {"Cat", "Coffee"} & {each["label"] for each in told}
    assert all(each["spans"] for each in told)
    for wrong in ("limit=0", "limit=x", "limit=1000"):
        assert ask(f"/api/events?{wrong}").status == 422
    assert ask("/api/presence?minutes=1441").status == 422


def test_a_snapshot_is_the_picture_that_is_labelled_with_its_masks(ask: Asker) -> None:
    answer = ask("/cameras/a/snapshot.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = simplejpeg.decode_jpeg(answer.body, "RGB")
    assert max(pixels.shape) <= 1280
    assert np.all(pixels[:10, :10] < 24), "what a mask hides nobody sees"
    assert ask("/cameras/b/snapshot.jpg").status == 404


def test_what_a_camera_saw_before_it_was_switched_off_nobody_sees(ask: Asker) -> None:
    assert ask.post("/api/cameras/a/enabled", {"value": "OFF"}).status == 200
    try:
        until(lambda: ask("/api/cameras/a").json["result"] is None, 5)
        answer = ask("/cameras/a/snapshot.jpg")
        assert (answer.status, answer.json) == (409, {"error": "camera a is switched off"})
        assert "<meter" not in ask("/").text
        with ask.connect() as connection:
            connection.sendall(f"GET /api/live HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            connection.settimeout(0.7)
            told = b""
            with contextlib.suppress(TimeoutError):
                while True:
                    told += connection.recv(65536)
        assert b"event: condition" in told
        assert b"event: picture" not in told
        assert b"event: labels" not in told
    finally:
        assert ask.post("/api/cameras/a/enabled", {"value": None}).status == 200
    until(lambda: ask("/cameras/a/snapshot.jpg").status == 200, 10)


def test_a_stream_is_mjpeg_and_nothing_is_encoded_without_a_viewer(ask: Asker) -> None:
    with ask.connect() as connection:
        connection.sendall(f"GET /cameras/a/stream HTTP/1.1\r\nHost: {HOST}:{ask.port}\r\n\r\n".encode())
        data = b""
        while data.count(b"Content-Type: image/jpeg") < 3:
            data += connection.recv(65536)
        assert b"multipart/x-mixed-replace; boundary=" in data
        assert figure(ask, "edged_page_viewers") == 1
    until(lambda: figure(ask, "edged_page_viewers") == 0)
    before = figure(ask, "edged_page_pictures_total")
    time.sleep(1)
    assert figure(ask, "edged_page_pictures_total") == before


def test_five_viewers_cost_one_encoding(ask: Asker) -> None:
    request = f"GET /api/live HTTP/1.1\r\nHost: {HOST}:{ask.port}\r\n\r\n".encode()
    viewers = [ask.connect() for _ in range(5)]
    try:
        before = figure(ask, "edged_page_pictures_total")
        for viewer in viewers:
            viewer.sendall(request)
        seen = [b""] * len(viewers)
        while any(data.count(b"event: picture") < 4 for data in seen):
            seen = [data + viewer.recv(65536) for data, viewer in zip(seen, viewers, strict=True)]
        made = figure(ask, "edged_page_pictures_total") - before
        pictures = sum(data.count(b"event: picture") for data in seen)
        assert made < pictures / 2
        for data in seen:
            assert {b"event: labels", b"event: condition", b"event: model"} <= set(data.split(b"\n"))
    finally:
        for viewer in viewers:
            viewer.close()


def test_more_viewers_than_may_be_are_told_to_come_later(ask: Asker) -> None:
    request = f"GET /api/live?pictures=false HTTP/1.1\r\nHost: {HOST}:{ask.port}\r\n\r\n".encode()
    viewers = [ask.connect() for _ in range(40)]
    try:
        for viewer in viewers:
            viewer.sendall(request)
        answers = [viewer.recv(100).split(b"\r\n")[0] for viewer in viewers]
        assert answers.count(b"HTTP/1.1 200 OK") == 32
        assert answers.count(b"HTTP/1.1 503 Service Unavailable") == 8
        assert ask("/healthz").status == 200
    finally:
        for viewer in viewers:
            viewer.close()
    until(lambda: figure(ask, "edged_page_viewers") == 0)


@pytest.mark.parametrize("window", ["", "?minutes=1440", "?minutes=junk"])
def test_the_page_holds_everything_without_a_script(ask: Asker, window: str) -> None:
    text = ask(f"/{window}").text
    for words in (
        "<h1>test</h1>",
        'class="region"',
        'class="mask"',
        '<svg class="meter"',
        "base 1.",
        "Frame to labels",
        "Roll back",
    ):
        assert words in text, words
    assert len(text) + sum(len(ask(f"/static/{name}").body) for name in ("page.js", "page.css", "icon.svg")) < 100_000


def test_a_form_commands_too_and_the_page_says_what_came_of_it(ask: Asker) -> None:
    fields = {"proof": ask.proof(), "what": "set", "camera": "a", "setting": "fps"}
    back = ask.form("/do", {**fields, "value": "7"})
    assert back.status == 303
    assert '<p id="said" class="said" role="status">Done.</p>' in ask("/" + back.headers["location"].lstrip("./")).text
    assert ask("/api/cameras/a").json["settings"]["fps"] == 7
    back = ask.form("/do", {**fields, "value": "<b>many"})
    assert "Not done: '&lt;b&gt;many' is no value" in ask("/" + back.headers["location"].lstrip("./")).text
    assert ask.form("/do", {**fields, "value": "null"}).status == 303
    assert ask.form("/do", {**fields, "what": "dance"}).status == 422


def test_files_are_taken_from_the_browsers_own_store_while_they_are_the_same(ask: Asker) -> None:
    first = ask("/static/page.js")
    assert ask("/static/page.js", if_none_match=first.headers["etag"]).status == 304
    for name in ("../api.py", "%2e%2e/api.py", "nothing.js"):
        assert ask(f"/static/{name}").status == 404


def test_it_stops_within_its_time_though_somebody_looks_on(paged: Daemon, ask: Asker) -> None:
    with ask.connect() as connection:
        connection.sendall(f"GET /api/live HTTP/1.1\r\nHost: {HOST}:{ask.port}\r\n\r\n".encode())
        assert connection.recv(10)
        assert paged.stop() == 0
    assert "Traceback" not in paged.log


def figure(ask: Asker, name: str) -> float:
    """A metric without labels."""
    (line,) = [line for line in ask("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])
