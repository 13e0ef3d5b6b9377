"""The model that a daemon starts with: what was chosen, where it has done well, else the last one that has."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from edged.classifier import Classifier
from edged.engine.engine import EngineDownError
from edged.errors import ConfigError, ModelError, WorkerError
from edged.models.choose import choose, missing_model
from edged.models.package import BASE, find_model, open_package
from edged.models.prove import open_proved
from edged.models.store import Store
from edged.models.store_change import tidy
from edged.updates.shelf import refusals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from edged.config import Config
    from edged.engine.engine import Engine
    from edged.engine.process import Launch
    from edged.models.member import Package

log = logging.getLogger(__name__)

LOAD_PAUSE_SECONDS: Final = 0.5
CRASHES: Final = 3
"""So often a worker may die over a model before another one is tried."""


def first_packages(config: Config, launch: Launch) -> list[Package]:
    """What to start with, and what else where that does not work: the base model last, which needs no state folder.

    What lies at a configured path proves itself first; what is in the store has done so.

    Raises:
        ConfigError: there is no model of the configured name, and no registry that it could come from.
        ModelError: the configured path has no model, or one that is not what it should be.
    """
    model = config.model
    if model.path is not None:
        return [_open_path(model.path, model.locale, launch)]
    store = Store(config.state)
    tidy(store)
    base = open_package(find_model(BASE), locale=model.locale)
    chosen = choose(store, model.name, refusals_of(store).digests)
    if chosen is not None:
        return [open_package(chosen.folder, locale=model.locale), base]
    if model.name != BASE:
        if missing := missing_model(config):
            raise ConfigError(f"model.name: {missing}")
        known = any(entry.record.name == model.name for entry in store.entries())
        what = "has not done well yet, or is damaged" if known else "is not on this device"
        log.warning("model %s %s: the base model labels", model.name, what)
    return [base]


def _open_path(path: Path, locale: str, launch: Launch) -> Package:
    try:
        return open_proved(path, locale=locale, launch=launch)
    except WorkerError as error:  # no runtime now: the daemon starts, and tries again to have one
        log.warning("the model is used without having been tried out: %s", error)
        return open_package(path, locale=locale)


def load_first(
    engine: Engine, packages: list[Package], members: Collection[str] | None, beat: Callable[[], None]
) -> Classifier | None:
    """Load the first of them that can be, however often a worker dies. None when the engine is closed meanwhile.

    Raises:
        ModelError: none of them can be loaded.
    """
    for number, package in enumerate(packages):
        last = number == len(packages) - 1
        wanted = members if number == 0 else None  # the base model need not have members of another's names
        try:
            return _load(engine, package, wanted, beat, CRASHES if not last else None)
        except (ModelError, WorkerError) as error:
            if last:
                raise
            log.warning("model %s %s cannot be used: %s", package.ref.name, package.ref.version, error)
    return None


def _load(
    engine: Engine,
    package: Package,
    members: Collection[str] | None,
    beat: Callable[[], None],
    crashes: int | None,
) -> Classifier | None:
    while not engine.closed:
        beat()
        try:
            return Classifier(engine, package, members)
        except EngineDownError as error:
            time.sleep(min(error.retry_in, LOAD_PAUSE_SECONDS))
        except WorkerError as error:
            log.debug("loading: %s", error)  # the engine has said it
            if crashes is not None:
                crashes -= 1
                if crashes <= 0:
                    raise
    return None
