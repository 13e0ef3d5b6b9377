"""An update that a person asks for: the registry is asked, and what it offers is installed and chosen.

No daemon is needed. One that runs follows the choice at once, on probation; one that starts later begins with the last
good model, and then tries the choice.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.config import redact
from edged.errors import CannotWriteError, ConfigError, ModelError, RegistryUnavailableError
from edged.labeling.label import ModelRef
from edged.models.package import BASE, find_model, read_summary
from edged.models.store_change import check_owner
from edged.updates.conditions import ANYWAY
from edged.updates.parts import clock_of, launch_of, prove_against, registry_of, shelf_of, why_wait_now
from edged.updates.registry import Asking
from edged.updates.shelf import revoked_why

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config import Config, RegistryConfig
    from edged.models.store import Entry
    from edged.updates.layout import Revocation
    from edged.updates.registry import Told, Update


@dataclass(frozen=True, slots=True)
class Offered:
    """What the registry says.

    Attributes:
        present: the model that was chosen, or updated to, on probation too; else the one that labels.
        update: what would take its place; None: nothing.
        reason: why there is nothing, in words; empty where there is something.
        revoked: set where `present` is to be used no more.
    """

    present: ModelRef
    update: Update | None
    reason: str
    revoked: Revocation | None


class HandUpdate:
    """For one command. Every call blocks, each for a bounded time.

    Raises:
        ConfigError: the configuration has no registry, or names a model's path.
        PermissionDeniedError: this is root, and the state folder another user's.
    """

    def __init__(self, config: Config) -> None:
        self._registry_config = _registry_in(config)
        self._config = config
        self._shelf = shelf_of(config)
        check_owner(self._shelf.store)
        self._registry = registry_of(config, self._registry_config, self._shelf.store)
        self._proved = self._shelf.first(config.model.name)
        self._present = self._shelf.to_try(config.model.name) or self._proved

    def ask(self, *, again: bool = False) -> Offered:
        """Ask the registry. Changes nothing but what is known of it.

        Args:
            again: also for what is refused on this device.

        Raises:
            RegistryUnavailableError: it cannot be asked, or the clock is not set.
            RegistryUntrustedError, RegistryError: it is not what was signed, or not what it must be.
            ModelError: the package that it offers contradicts itself.
            PermissionDeniedError, CannotWriteError: the state folder cannot be written.
        """
        clock = clock_of(self._config.state).read()
        if clock.why_not is not None:
            raise RegistryUnavailableError(clock.why_not)
        ref = _ref(self._present)
        name = ref.name if self._config.model.name == BASE else self._config.model.name
        known = self._shelf.newest_known(name)
        installed = _ref(known) if known is not None else ref if ref.name == name else None
        refused = {} if again else self._shelf.refusals.reasons
        poll = self._registry.poll(Asking(self._config.device, name, installed, refused))
        revoked = poll.revocations.of_digest(ref.digest)
        if poll.update is not None and self._is_on_probation(poll.update.ref):
            return Offered(ref, None, f"{name} {poll.update.ref.version} is installed, on probation", revoked)
        return Offered(ref, poll.update, poll.reason, revoked)

    def leave_revoked(self, revoked: Revocation) -> None:
        """Let the last good model label in place of the present one.

        Raises:
            UnavailableError, PermissionDeniedError, CannotWriteError: the store cannot be changed.
        """
        if self._present is not None:
            self._shelf.mark_bad(self._present, revoked_why(revoked.why))

    def install(self, update: Update, told: Told, proving: Callable[[], None]) -> Entry:
        """Download it, prove it, put it in and choose it.

        Args:
            update: from `ask`.
            told: progress of the download.
            proving: called when that is done.

        Raises:
            RegistryUnavailableError: broken off or too slow; what is there is kept for the next time.
            RegistryUntrustedError: a file is not what was signed.
            ModelError: it has not proved itself; it is refused from now on.
            WorkerError: no process can be started to prove it in.
            UnavailableError, PermissionDeniedError, CannotWriteError: the store cannot be changed, or the disk is full.
        """
        config, shelf = self._config, self._shelf
        waits = why_wait_now(config.state, ANYWAY, update.size)
        if waits is not None:
            raise CannotWriteError(waits)
        folder = self._registry.fetch(update, shelf.incoming_by_hand, told, lambda: False)
        proving()
        try:
            prove_against(folder, self._proved, launch=launch_of(config), slowdown=self._registry_config.slowdown)
        except ModelError as error:
            shelf.refuse(update.ref, str(error), folder)
            raise
        entry = shelf.take_in(folder, redact(self._registry_config.url))
        shutil.rmtree(folder, ignore_errors=True)  # still there where a daemon has been quicker
        shelf.use_by_hand(entry)
        shelf.make_room()
        return entry

    def _is_on_probation(self, ref: ModelRef) -> bool:
        entry = self._shelf.store.entry(ref.digest.removeprefix("sha256:"))
        return entry is not None and self._shelf.is_on_probation(entry)


def _registry_in(config: Config) -> RegistryConfig:
    if config.registry is None:
        raise ConfigError(
            "there is no registry: the configuration has no section `registry` (registry: {url: …, root: …},"
            " docs/updates.md); `edged models install` takes models from elsewhere"
        )
    if config.model.path is not None:
        raise ConfigError(
            f"model.path: {config.model.path} labels, whatever a registry has; take it out (model.name names a model)"
        )
    return config.registry


def _ref(entry: Entry | None) -> ModelRef:
    if entry is None:
        return read_summary(find_model(BASE)).ref
    return ModelRef(entry.record.name, entry.record.version, f"sha256:{entry.digest}")
