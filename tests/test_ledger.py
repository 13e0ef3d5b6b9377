"""What is present at all cameras: across models, configurations, and files that come late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edged.config.cameras import CameraConfig
from edged.labeling.label import Label, ModelRef, Result, Timing
from edged.ledger import Ledger
from edged.mqtt.messages import Topics
from edged.outbox import Known, State

if TYPE_CHECKING:
    from edged.mqtt.event_messages import Event
    from edged.mqtt.outgoing import Message

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ONE, TWO = (ModelRef(name, "1.0.0", f"sha256:{name}") for name in ("one", "two"))
QUICK = {"on": 0.6, "off": 0.4, "hold_on": 0, "hold_off": 0}


class Desk:
    """A ledger, and what it hands over."""

    def __init__(self, **presence: object) -> None:
        self.sent: list[Message] = []
        self.ledger = Ledger(Topics("x"), self.sent.append, lambda call: call(), {"a": camera(**presence)})

    def frame(self, at: float, *texts: str, model: ModelRef = ONE) -> list[Event]:
        watched = tuple(Label(text, 0.9, 0) for text in texts)
        return self.ledger.result(Result("a", NOW, 1, (), model, "cpu", Timing(0, 0, 0), watched), at)

    def topics(self) -> dict[str, bytes]:
        """What the broker holds."""
        self.ledger.publish()
        held = {message.topic: message.payload for message in self.sent if message.retain}
        return {topic.removeprefix("edged/x/"): payload for topic, payload in held.items() if payload}


def camera(**presence: object) -> CameraConfig:
    names = {"every": "*"}
    return CameraConfig.model_validate(
        {"source": "picamera", "presence": {names.get(name, name): rule for name, rule in presence.items()}}
    )


def said(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.event_type.value, event.label) for event in events]


def test_another_model_keeps_what_it_has_a_word_for_and_the_rest_disappears() -> None:
    desk = Desk(every=QUICK)
    desk.ledger.use({"Cat": "cat", "Tabby": "tabby"}, ONE, 0.0)
    assert said(desk.frame(1.0, "Cat", "Tabby")) == [("appeared", "Cat"), ("appeared", "Tabby")]
    assert desk.topics() == {"a/present/cat": b"ON", "a/present/tabby": b"ON"}
    assert said(desk.ledger.use({"cat": "cat", "Dog": "dog"}, TWO, 2.0)) == [("disappeared", "Tabby")]
    assert desk.topics() == {"a/present/cat": b"ON"}
    assert desk.frame(3.0, "Cat", model=ONE) == []  # a frame of the model before it, that comes late
    assert desk.frame(4.0, "cat", model=TWO) == []
    assert said(desk.frame(5.0, "Dog", model=TWO)) == [("disappeared", "cat"), ("appeared", "Dog")]


def test_named_labels_have_a_topic_from_the_start_by_text_or_slug() -> None:
    desk = Desk(Cat=QUICK, dog=QUICK)
    desk.ledger.use({"Cat": "cat", "Dog": "dog", "Bird": "bird"}, ONE, 0.0)
    assert desk.topics() == {"a/present/cat": b"OFF", "a/present/dog": b"OFF"}
    assert said(desk.frame(1.0, "Bird", "Dog")) == [("appeared", "Dog")]


def test_a_named_label_has_its_own_rule_beside_the_wildcard() -> None:
    desk = Desk(cat={**QUICK, "on": 0.95}, every=QUICK)
    desk.ledger.use({"Cat": "cat", "Dog": "dog"}, ONE, 0.0)
    assert said(desk.frame(1.0, "Cat", "Dog")) == [("appeared", "Dog")]


def test_a_removed_camera_takes_its_topics_along_and_its_rows_once_the_broker_knows() -> None:
    desk = Desk(cat=QUICK)
    desk.ledger.use({"Cat": "cat"}, ONE, 0.0)
    desk.frame(1.0, "Cat")
    assert said(desk.ledger.apply({"b": camera(cat=QUICK)}, 2.0)) == [("disappeared", "Cat")]
    assert desk.topics() == {"b/present/cat": b"OFF"}
    assert desk.ledger.unwritten["a", "cat"].state is State.GONE
    gone = next(message for message in desk.sent if message.topic == "edged/x/a/present/cat" and not message.payload)
    assert gone.acknowledged is not None
    gone.acknowledged()
    assert desk.ledger.cleared == {("a", "cat")}


def test_what_was_there_before_a_restart_is_said_again_as_state_and_not_as_event() -> None:
    desk = Desk(cat=QUICK)
    assert desk.ledger.recall([Known("a", "cat", "Cat", State.PRESENT)]) == []
    assert desk.topics() == {"a/present/cat": b"ON"}  # before any model is loaded
    assert desk.ledger.use({"Cat": "cat"}, ONE, 0.0) == []
    assert desk.frame(1.0, "Cat") == []
    assert said(desk.frame(2.0)) == [("disappeared", "Cat")]


def test_a_file_that_can_be_read_only_later_is_put_right() -> None:
    desk = Desk(cat=QUICK, dog=QUICK)
    desk.ledger.use({"Cat": "cat", "Dog": "dog"}, ONE, 0.0)
    desk.frame(1.0, "Cat")
    late = [Known("a", "cat", "Cat", State.ABSENT), Known("gone", "cow", "Cow", State.PRESENT)]
    assert said(desk.ledger.recall(late)) == [("disappeared", "Cow")]
    assert desk.topics() == {"a/present/cat": b"ON", "a/present/dog": b"OFF"}
    assert {key: known.state for key, known in desk.ledger.unwritten.items()} == {
        ("a", "cat"): State.PRESENT,
        ("a", "dog"): State.ABSENT,
        ("gone", "cow"): State.GONE,
    }
