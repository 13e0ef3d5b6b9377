"""Answers to commands: one each, also to the topic that its sender names; repeats do nothing twice, floods little."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.mqtt.command_messages import id_of
from edged.mqtt.model_messages import result_payload
from edged.mqtt.outgoing import About, Message

if TYPE_CHECKING:
    from edged.mqtt.client import MqttClient
    from edged.mqtt.incoming import Incoming

log = logging.getLogger(__name__)

MOST_REMEMBERED: Final = 256
MOST_WAITING: Final = 16  # who ask for one command while it is under way
BURST: Final = 20
A_SECOND: Final = 5.0

Reply = Callable[[str | None], None]
"""Called once, on the event loop, with why a command failed; None: it is done."""


class Allowance:
    """So many at once, so many a second in the long run."""

    def __init__(self, burst: int = BURST, a_second: float = A_SECOND) -> None:
        self._burst = burst
        self._a_second = a_second
        self._left = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed at this time (monotonic)."""
        self._left = min(self._burst, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


@dataclass(slots=True)
class _Asked:
    """A command with an id: who wants to know, and whether it is done."""

    waiting: list[Incoming] = field(default_factory=list)
    done: bool = False


class Answers:
    """Made and used on the event loop.

    A command that carries the id of one that has succeeded, or is under way, is not carried out again: it gets the same
    answer. One that failed may be tried again with its id.
    """

    def __init__(self, mqtt: MqttClient) -> None:
        self._mqtt = mqtt
        self._asked: OrderedDict[tuple[str, str], _Asked] = OrderedDict()
        self._commands = Allowance()
        self._refusals = Allowance()
        self._flooded = False

    def take(self, command: str, incoming: Incoming) -> Reply | None:
        """How to answer a command; None where it is answered already, and is not to be carried out."""
        now = time.monotonic()
        if not self._commands.take(now):
            self._refuse(command, incoming, now)
            return None
        self._flooded = False
        identity = id_of(incoming.payload)
        if identity is None:
            return partial(self._answer, command, None, [incoming])
        key = command, identity
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = _Asked([incoming])
            while len(self._asked) > MOST_REMEMBERED:
                self._asked.popitem(last=False)
            return partial(self._finish, key, asked)
        if asked.done:
            self._answer(command, identity, [incoming], None)
        elif len(asked.waiting) < MOST_WAITING:
            asked.waiting.append(incoming)
        return None

    def _finish(self, key: tuple[str, str], asked: _Asked, error: str | None) -> None:
        waiting, asked.waiting, asked.done = asked.waiting, [], error is None
        if error is not None and self._asked.get(key) is asked:
            del self._asked[key]
        self._answer(*key, waiting, error)

    def _refuse(self, command: str, incoming: Incoming, now: float) -> None:
        log.log(logging.DEBUG if self._flooded else logging.WARNING, "mqtt: too many commands at once")
        self._flooded = True
        text = f"too many commands; {A_SECOND:g} a second are taken, and {BURST} at once"
        if self._refusals.take(now):
            self._answer(command, id_of(incoming.payload), [incoming], text)
        elif incoming.answered is not None:
            incoming.answered(text)  # it waits here, and telling it floods no broker

    def _answer(self, command: str, identity: str | None, waiting: list[Incoming], error: str | None) -> None:
        payload = result_payload(command, error, identity)
        self._mqtt.publish(self._mqtt.topics.result, payload, qos=1)
        for incoming in waiting:
            if incoming.answered is not None:
                incoming.answered(error)
            if incoming.response_topic is not None and self._may_answer(incoming.response_topic):
                about = About(content_type="application/json", correlation=incoming.correlation)
                self._mqtt.send(Message(incoming.response_topic, payload, 1, retain=False, about=about))

    def _may_answer(self, topic: str) -> bool:
        """Whoever may command must not be able to have the device speak at topics at which only it may."""
        prefix = f"{self._mqtt.topics.prefix}/"
        return not topic.startswith(prefix) or topic.startswith(self._mqtt.topics.replies)
