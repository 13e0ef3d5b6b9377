"""The updater of a configuration: its parts made and put together."""

from __future__ import annotations

import asyncio
import logging
import shutil
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.config import ProbationConfig, redact
from edged.engine.process import Launch
from edged.errors import EdgedError, ModelError
from edged.model_switch import ModelSwitch
from edged.models.package import BASE, find_model
from edged.models.prove import prove
from edged.models.store import Store
from edged.mqtt.model_messages import (
    ModelStatus,
    UpdateStatus,
    model_payload,
    parse_model_command,
    update_payload,
)
from edged.updates.changeover import Changeover
from edged.updates.clock import Clock
from edged.updates.conditions import Rules, Situation, why_wait
from edged.updates.metered import is_metered
from edged.updates.probation import Terms, too_slow
from edged.updates.refusals import Refusals
from edged.updates.rounds import RoundOptions, Rounds, Work
from edged.updates.shelf import Shelf
from edged.updates.telling import Telling
from edged.updates.updater import Updater

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.answers import Answers
    from edged.classifier import Classifier
    from edged.config import Config, RegistryConfig
    from edged.engine.engine import Engine
    from edged.models.store import Entry
    from edged.mqtt.client import MqttClient
    from edged.mqtt.incoming import Incoming
    from edged.pipeline import Pipeline
    from edged.updates.registry import Registry

log = logging.getLogger(__name__)

REGISTRY: Final = "registry"
MEGABYTE: Final = 1024 * 1024
SLOWDOWN: Final = 3.0
"""Where there is no registry, whose section says it."""
EXCHANGE_SECONDS: Final = 2.0
"""Beyond the deadline of an inference, for the pipeline to get to its next frame."""


def make_updater(
    config: Config,
    engine: Engine,
    pipeline: Pipeline,
    taken: Callable[[Classifier], None],
    tell: Callable[[ModelStatus, UpdateStatus], None],
) -> Updater:
    """The updater, with everything that it works with.

    Args:
        config: what to do.
        engine: where models are loaded.
        pipeline: which labels.
        taken: told of every classifier that has taken over, in a thread.
        tell: told of what there is to say, on the event loop.
    """
    registry = config.registry
    store = Store(config.state)
    cap = (1024 if registry is None else registry.disk) * MEGABYTE
    shelf = Shelf(store, Refusals(store.folder / "refused.json"), cap, config.model.locale)
    switch = ModelSwitch(engine, pipeline, config.model.members, config.inference.deadline + EXCHANGE_SECONDS, taken)
    probation = ProbationConfig() if registry is None else registry.probation
    terms = Terms(probation.results, probation.duration, SLOWDOWN if registry is None else registry.slowdown)
    changeover = Changeover(shelf, switch, engine, pipeline, terms)
    return Updater(
        config.model.name,
        fixed=config.model.path is not None,
        pipeline=pipeline,
        work=Work(shelf, changeover, Telling(store, tell), asyncio.Lock()),
        rounds=None if registry is None else _rounds(config, registry, store),
    )


def _rounds(config: Config, registry: RegistryConfig, store: Store) -> Rounds:
    inference = config.inference
    options = RoundOptions(
        config.device, config.model.name, redact(registry.url), registry.interval, automatic=registry.automatic
    )
    launch = Launch(inference.python, inference.runtime, inference.memory)
    return Rounds(
        options,
        _registry(config, registry, store),
        partial(prove_against, launch=launch, slowdown=registry.slowdown),
        partial(_why_wait, config.state, registry),
    )


def obey_over_mqtt(mqtt: MqttClient, updater: Updater, answers: Answers) -> None:
    """Have the updater do what comes in at `…/model/set`, and say what came of it."""

    def handle(incoming: Incoming) -> None:
        reply = answers.take("model/set", incoming)
        if reply is None:
            return
        try:
            updater.command(parse_model_command(incoming.payload), reply)
        except EdgedError as error:
            reply(str(error))

    mqtt.subscribe(mqtt.topics.model_set, handle)


def tell_over_mqtt(mqtt: MqttClient, model: ModelStatus, update: UpdateStatus) -> None:
    """Publish what there is to say of the model."""
    mqtt.publish(mqtt.topics.model, model_payload(model), qos=1, retain=True)
    mqtt.publish(mqtt.topics.update, update_payload(update), qos=1, retain=True)


def prove_against(folder: Path, present: Entry | None, *, launch: Launch, slowdown: float) -> None:
    """Prove a package, and that it is not too slow: both are looked at in the same way, one after the other.

    Raises:
        ModelError: it is not what it should be, or too slow beside the present model.
        WorkerError: no process can be started.
    """
    new = prove(folder, launch=launch)
    before = prove(find_model(BASE) if present is None else present.folder, launch=launch)
    if before.inference and too_slow(new.inference, before.inference, slowdown):
        raise ModelError(
            f"it takes {new.inference * 1000:.1f} ms for a picture; the present model takes"
            f" {before.inference * 1000:.1f} ms, and {slowdown:g} times that is the most (registry.slowdown)"
        )


def _registry(config: Config, registry: RegistryConfig, store: Store) -> Registry:
    from edged.updates.tuf_registry import Place, TufRegistry  # noqa: PLC0415  tuf takes 25 MB

    place = Place(registry.url, registry.root, config.model.channel)
    folders = lambda: [find_model(BASE), *(entry.folder for entry in store.entries())]  # noqa: E731
    return TufRegistry(place, config.state / REGISTRY, folders)


def _why_wait(state: Path, registry: RegistryConfig, size: int) -> str | None:
    rules = Rules(registry.window, registry.metered)
    now = datetime.now().astimezone()
    metered = not registry.metered and is_metered()
    return why_wait(rules, Situation(Clock(state / REGISTRY).read(), now, metered, _free(state)), size)


def _free(state: Path) -> int:
    for place in (state, *state.parents):  # it need not exist yet
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0
