"""The parts of updates as a configuration describes them: for the daemon, and for a command that updates by hand."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Final

from edged.engine.process import Launch
from edged.errors import ModelError
from edged.models.package import BASE, find_model
from edged.models.prove import prove
from edged.updates.clock import Clock
from edged.updates.conditions import Rules, Situation, why_wait
from edged.updates.metered import is_metered
from edged.updates.probation import too_slow
from edged.updates.shelf import DISK, open_shelf

if TYPE_CHECKING:
    from pathlib import Path

    from edged.config import Config, RegistryConfig
    from edged.models.store import Entry, Store
    from edged.updates.registry import Registry
    from edged.updates.shelf import Shelf

REGISTRY: Final = "registry"
"""The folder, in the state folder, of what is known of the registry."""


def shelf_of(config: Config) -> Shelf:
    """The models on this device."""
    return open_shelf(config.state, DISK if config.registry is None else config.registry.disk, config.model.locale)


def launch_of(config: Config) -> Launch:
    """How workers are started."""
    inference = config.inference
    return Launch(inference.python, inference.runtime, inference.memory)


def registry_of(config: Config, registry: RegistryConfig, store: Store) -> Registry:
    """The registry, knowing what is on this device already."""
    from edged.updates.tuf_registry import Place, TufRegistry  # noqa: PLC0415  tuf takes 25 MB

    place = Place(registry.url, registry.root, config.model.channel)
    folders = lambda: [find_model(BASE), *(entry.folder for entry in store.entries())]  # noqa: E731
    return TufRegistry(place, config.state / REGISTRY, folders)


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


def why_wait_now(state: Path, rules: Rules, size: int) -> str | None:
    """Why an update of `size` bytes may not be installed now; None where it may."""
    now = datetime.now().astimezone()
    metered = not rules.metered and is_metered()
    return why_wait(rules, Situation(clock_of(state).read(), now, metered, free_bytes(state)), size)


def clock_of(state: Path) -> Clock:
    """This machine's clock, with the last moment that the registry has proved."""
    return Clock(state / REGISTRY)


def free_bytes(state: Path) -> int:
    """Of the disk that a folder is on; it need not exist yet."""
    for place in (state, *state.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0
