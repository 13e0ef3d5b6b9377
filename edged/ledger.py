"""What is present at all cameras: results in, events out; and what of it has to be written and published."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from edged.mqtt.event_messages import Event, Happening
from edged.mqtt.outgoing import Message
from edged.outbox import Known, State
from edged.presence import CameraPresence
from edged.watched import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edged.config import CameraConfig
    from edged.labeling.label import ModelRef, Result
    from edged.mqtt.messages import Topics
    from edged.presence import Change

Key = tuple[str, str]
"""A camera and a slug."""


class Ledger:
    """For one thread, which `tell` has things run in.

    Attributes:
        unwritten: what has changed since `written`.
        cleared: topics that the broker has forgotten since.
        watched: labels that have a topic, oldest first; None before there is a model. Replaced whole: for any thread.
    """

    def __init__(
        self,
        topics: Topics,
        send: Callable[[Message], None],
        tell: Callable[[Callable[[], None]], None],
        cameras: Mapping[str, CameraConfig],
    ) -> None:
        self._topics = topics
        self._send = send
        self._tell = tell
        self._configs = dict(cameras)
        self._slugs: Mapping[str, str] | None = None
        self._model: ModelRef | None = None
        self._cameras: dict[str, CameraPresence] = {}
        self._known: dict[Key, Known] = {}
        self.unwritten: dict[Key, Known] = {}
        self._unpublished: dict[Key, Known] = {}
        self.cleared: set[Key] = set()
        self.watched: tuple[Known, ...] | None = None

    @property
    def watches(self) -> bool:
        """Whether any camera watches anything."""
        return any(config.presence for config in self._configs.values())

    def recall(self, known: Iterable[Known]) -> list[Event]:
        """The file, which has been opened, knows this of before. What is known here already stands.

        The topics are published anew, as the broker may have lost them.
        """
        events = []
        stored = {(each.camera, each.slug): each for each in known}
        for key, each in stored.items():
            if key in self._known:
                continue
            self._set(each)
            if each.camera in self._cameras and each.state is State.PRESENT:  # labelled meanwhile, and not seen
                self._set(Known(each.camera, each.slug, each.text, State.ABSENT))
                events.append(self._disappeared(each))
        self.unwritten = {key: each for key, each in self._known.items() if stored.get(key) != each}
        return events + self._drop_cameras()

    def use(self, slugs: Mapping[str, str], model: ModelRef, now: float) -> list[Event]:
        """Another model labels. What it has no word for disappears."""
        self._slugs, self._model = slugs, model
        return [event for camera in self._configs for event in self._watch(camera, now, other_model=True)]

    def apply(self, cameras: Mapping[str, CameraConfig], now: float) -> list[Event]:
        """Other cameras, or other rules. What is not watched any more disappears."""
        self._configs = dict(cameras)
        events = self._drop_cameras()
        return events + [event for camera in cameras for event in self._watch(camera, now, other_model=False)]

    def result(self, result: Result, captured: float) -> list[Event]:
        """A labelled frame; one of another model than the present one says nothing."""
        presence = self._cameras.get(result.camera)
        if presence is None or self._slugs is None or result.model != self._model:
            return []
        confidences: dict[str, float] = {}
        for label in result.watched:
            slug = self._slugs.get(label.text)
            if slug is not None:
                confidences[slug] = max(label.confidence, confidences.get(slug, 0.0))
        return self._take(result.camera, presence.result(confidences, captured), result.time)

    def stands(self, camera: str, captured: float, time: datetime) -> list[Event]:
        """A frame like the last labelled one."""
        presence = self._cameras.get(camera)
        return [] if presence is None else self._take(camera, presence.stands(captured), time)

    def tick(self, now: float, time: datetime) -> list[Event]:
        """Time goes by."""
        return [
            event
            for camera, presence in self._cameras.items()
            for event in self._take(camera, presence.tick(now), time)
        ]

    def written(self) -> None:
        """Everything is in the file."""
        self.unwritten = {}
        self.cleared = set()

    def publish(self) -> None:
        """Hand over what is not published yet."""
        if self._slugs is not None and (self._unpublished or self.watched is None):
            self.watched = tuple(known for known in self._known.values() if known.state is not State.GONE)
        for key, known in self._unpublished.items():
            gone = partial(self._tell, partial(self._gone, key)) if known.state is State.GONE else None
            payload = {State.PRESENT: b"ON", State.ABSENT: b"OFF", State.GONE: b""}[known.state]
            self._send(Message(self._topics.present(*key), payload, qos=1, retain=True, acknowledged=gone))
        self._unpublished = {}

    def _watch(self, camera: str, now: float, *, other_model: bool) -> list[Event]:
        if self._slugs is None:  # no model yet: what was present stays so
            return []
        watches = watched(self._configs[camera], self._slugs)
        mine = {slug: known for (name, slug), known in self._known.items() if name == camera}
        presence = self._cameras.get(camera)
        if presence is None:
            present = [slug for slug, known in mine.items() if known.state is State.PRESENT]
            self._cameras[camera] = CameraPresence(watches, present, now)
        else:
            presence.watch(watches, other_model=other_model)
        events = []
        for slug, known in mine.items():
            if watches.rule(slug) is None:
                events += self._drop(known)
            elif known.text != watches.texts[slug] and known.state is not State.GONE:
                self._set(Known(camera, slug, watches.texts[slug], known.state))
        for slug in watches.named:
            if slug not in mine or mine[slug].state is State.GONE:
                self._set(Known(camera, slug, watches.texts[slug], State.ABSENT))
        return events

    def _drop_cameras(self) -> list[Event]:
        for camera in [camera for camera in self._cameras if camera not in self._configs]:
            del self._cameras[camera]
        gone = [known for known in self._known.values() if known.camera not in self._configs]
        return [event for known in gone for event in self._drop(known)]

    def _drop(self, known: Known) -> list[Event]:
        """Watch this no more: its topic is cleared."""
        if known.state is State.GONE:
            return []
        self._set(Known(known.camera, known.slug, known.text, State.GONE))
        if known.state is State.ABSENT:
            return []
        return [self._disappeared(known)]

    def _disappeared(self, known: Known) -> Event:
        return Event(known.camera, Happening.DISAPPEARED, known.text, 0.0, datetime.now(UTC), self._model)

    def _take(self, camera: str, changes: list[Change], time: datetime) -> list[Event]:
        events = []
        for change in changes:
            state = State.PRESENT if change.present else State.ABSENT
            self._set(Known(camera, change.slug, change.text, state))
            what = Happening.APPEARED if change.present else Happening.DISAPPEARED
            events.append(Event(camera, what, change.text, change.confidence, time, self._model))
        return events

    def _set(self, known: Known) -> None:
        key = known.camera, known.slug
        self._known[key] = self.unwritten[key] = self._unpublished[key] = known

    def _gone(self, key: Key) -> None:
        """The broker has forgotten the topic."""
        known = self._known.get(key)
        if known is not None and known.state is State.GONE:
            del self._known[key]
            self.cleared.add(key)
