"""What the page asks of the daemon: asked in the page's thread, answered in the daemon's, never waited for too long."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from edged.config import redact
from edged.errors import UnavailableError
from edged.models.package import BASE
from edged.models.store import Store
from edged.mqtt.command_messages import settings_payload
from edged.mqtt.incoming import Incoming
from edged.settings import said
from edged.updates.refusals import REVOKED
from edged.updates.shelf import refusals_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.camera.geometry import Polygon
    from edged.config import CameraConfig
    from edged.mqtt.client import MqttState
    from edged.mqtt.command_messages import Applied
    from edged.mqtt.messages import Health
    from edged.outbox import Known
    from edged.web.parts import Parts

ASK_S: Final = 5.0
FRESH_S: Final = 1.0
"""For so long a report of health stands: it reads other processes' memory."""
MODELS_S: Final = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """A camera, as the configuration and its live settings have it.

    Attributes:
        name: of the camera.
        source: its address without secrets.
        region, masks: in fractions of the upright picture.
        settings: what applies, as on its topic `…/settings`.
        applied: the same for the page; `threshold` None is the model's own.
        threshold: what applies then; None before a model is loaded.
        watches: whether any label of it becomes present and absent.
    """

    name: str
    source: str
    region: tuple[float, float, float, float]
    masks: tuple[Polygon, ...]
    settings: bytes
    applied: Applied
    threshold: float | None
    watches: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How everything is at one instant."""

    health: Health
    mqtt: MqttState
    cameras: tuple[CameraFacts, ...]
    known: tuple[Known, ...]
    at: float

    def camera(self, name: str) -> CameraFacts | None:
        """One of them."""
        return next((camera for camera in self.cameras if camera.name == name), None)


@dataclass(frozen=True, slots=True)
class Installed:
    """A model on this device. `state`: as the store has it; None for the base model. `revoked`: by its registry."""

    name: str
    version: str | None
    state: str | None
    revoked: bool = False


class Desk:
    """For the page's thread; made in the daemon's."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._report: Report | None = None
        self._asking: asyncio.Task[Report] | None = None
        self._models: tuple[float, tuple[Installed, ...]] | None = None

    @property
    def device(self) -> str:
        """Its name."""
        return self._parts.config.device

    @property
    def has_registry(self) -> bool:
        """Whether updates come from anywhere."""
        return self._parts.config.registry is not None

    async def report(self) -> Report:
        """How everything is, not older than `FRESH_S`. Raises UnavailableError where the daemon does not answer."""
        if self._report is not None and time.monotonic() - self._report.at < FRESH_S:
            return self._report
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask(self._look))
        self._report = await asyncio.shield(self._asking)
        return self._report

    async def models(self) -> tuple[Installed, ...]:
        """What there is on this device, the base model first."""
        now = time.monotonic()
        if self._models is None or now - self._models[0] > MODELS_S:
            stored = await asyncio.to_thread(_stored, Store(self._parts.config.state))
            self._models = (now, (Installed(BASE, None, None), *stored))
        return self._models[1]

    def renew(self) -> None:
        """Another model labels, or was brought: what can be chosen is to be looked at anew."""
        self._models = None

    async def command(self, topic: str, payload: bytes, seconds: float = ASK_S) -> tuple[bool, str | None]:
        """Have a command obeyed as if it had come in at this topic, by the same part.

        Returns:
            Whether it is done, and why it is not; (False, None) where it is still under way after so long.
        """
        answer: Future[str | None] = Future()

        def deliver() -> None:
            self._parts.mqtt.deliver(Incoming(topic, payload, answered=lambda error: _settle(answer, error)))

        await self._ask(deliver)
        self._report = None  # what it changes is to be seen at once
        try:
            error = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), seconds)
        except TimeoutError:
            return False, None
        self._report = None
        return error is None, error

    async def set(self, camera: str, setting: str, payload: bytes) -> tuple[bool, str | None]:
        """A camera's setting, as at `…/<camera>/set/<setting>`."""
        return await self.command(self._parts.mqtt.topics.set(camera, setting), payload)

    async def model(self, payload: bytes) -> tuple[bool, str | None]:
        """As at `…/model/set`."""
        return await self.command(self._parts.mqtt.topics.model_set, payload)

    async def inference(self, payload: bytes) -> tuple[bool, str | None]:
        """As at `…/inference/set`."""
        return await self.command(self._parts.mqtt.topics.inference_set, payload)

    async def _ask(self, call: Callable[[], T]) -> T:
        answer: Future[T] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():  # nobody waits for it any more
                return
            try:
                answer.set_result(call())
            except BaseException as error:  # noqa: BLE001  whoever asked gets it
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(run)
            return await asyncio.wait_for(asyncio.wrap_future(answer), ASK_S)
        except (TimeoutError, RuntimeError):
            raise UnavailableError("the daemon is too busy to answer, or about to end") from None

    def _look(self) -> Report:
        parts = self._parts
        state = parts.mqtt.state()
        classifier = parts.pipeline.classifier
        threshold = None if classifier is None else classifier.threshold
        cameras = tuple(self._facts(name, config, threshold) for name, config in parts.cameras.file.items())
        return Report(parts.reporter.report(state), state, cameras, parts.events.watched() or (), time.monotonic())

    def _facts(self, name: str, config: CameraConfig, threshold: float | None) -> CameraFacts:
        applied = self._parts.cameras.settings.applied(name, config)
        return CameraFacts(
            name,
            redact(config.source),
            config.region,
            config.masks,
            settings_payload(applied, said(config), threshold),
            applied,
            threshold if applied.threshold is None else applied.threshold,
            bool(config.presence),
        )


def _stored(store: Store) -> list[Installed]:
    """Blocking."""
    revoked = {refusal.digest for refusal in refusals_of(store).all if refusal.why.startswith(REVOKED)}
    return [
        Installed(each.record.name, each.record.version, each.record.state, f"sha256:{each.digest}" in revoked)
        for each in store.entries()
    ]


def _settle(answer: Future[str | None], error: str | None) -> None:
    if not answer.done():
        answer.set_result(error)
