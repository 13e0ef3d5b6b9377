"""The updater of a configuration: its parts made and put together."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.config import ProbationConfig, redact
from edged.errors import EdgedError
from edged.model_switch import ModelSwitch
from edged.mqtt.model_messages import (
    ModelStatus,
    UpdateStatus,
    model_payload,
    parse_model_command,
    update_payload,
)
from edged.updates.changeover import Changeover
from edged.updates.conditions import ANYWAY, Rules
from edged.updates.parts import launch_of, prove_against, registry_of, shelf_of, why_wait_now
from edged.updates.probation import Terms
from edged.updates.rounds import RoundOptions, Rounds, Work
from edged.updates.telling import Telling
from edged.updates.updater import Updater

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.answers import Answers
    from edged.classifier import Classifier
    from edged.config import Config, RegistryConfig
    from edged.engine.engine import Engine
    from edged.models.store import Store
    from edged.mqtt.client import MqttClient
    from edged.mqtt.incoming import Incoming
    from edged.pipeline import Pipeline

log = logging.getLogger(__name__)

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
    shelf = shelf_of(config)
    switch = ModelSwitch(engine, pipeline, config.model.members, config.inference.deadline + EXCHANGE_SECONDS, taken)
    probation = ProbationConfig() if registry is None else registry.probation
    terms = Terms(probation.results, probation.duration, SLOWDOWN if registry is None else registry.slowdown)
    changeover = Changeover(shelf, switch, engine, pipeline, terms, name=config.model.name)
    return Updater(
        config.model.name,
        fixed=config.model.path is not None,
        pipeline=pipeline,
        work=Work(shelf, changeover, Telling(shelf.store, tell), asyncio.Lock()),
        rounds=None if registry is None else _rounds(config, registry, shelf.store),
    )


def _rounds(config: Config, registry: RegistryConfig, store: Store) -> Rounds:
    options = RoundOptions(
        config.device, config.model.name, redact(registry.url), registry.interval, automatic=registry.automatic
    )
    rules = Rules(registry.window, registry.metered)
    return Rounds(
        options,
        registry_of(config, registry, store),
        partial(prove_against, launch=launch_of(config), slowdown=registry.slowdown),
        lambda size, told: why_wait_now(config.state, ANYWAY if told else rules, size),
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


class ModelTopics:
    """`…/model` and `…/update`, each published when it says something else than before."""

    def __init__(self, mqtt: MqttClient) -> None:
        self._mqtt = mqtt
        self._said: dict[str, bytes] = {}

    def tell(self, model: ModelStatus, update: UpdateStatus) -> None:
        """Publish what there is to say of the model."""
        topics = self._mqtt.topics
        for topic, payload in ((topics.model, model_payload(model)), (topics.update, update_payload(update))):
            if self._said.get(topic) != payload:
                self._said[topic] = payload
                self._mqtt.publish(topic, payload, qos=1, retain=True)
