"""Keeps the model up to date: asks the registry, fetches, proves, and has it change over; answers commands.

One task on the event loop, and one beside it while an update is on its way; what blocks runs in threads. Labels never
wait for any of it, and no failure in it ends the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError, ModelError, RegistryUnavailableError, UnavailableError, UsageError, WorkerError
from edged.labeling.label import ModelRef
from edged.models.package import BASE
from edged.mqtt.model_messages import ModelStatus, UpdateStatus
from edged.threads import in_thread
from edged.updates.probation import Standing
from edged.updates.registry import Asking

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.store import Entry
    from edged.mqtt.model_messages import ModelCommand, State
    from edged.pipeline import Pipeline
    from edged.updates.changeover import Changeover
    from edged.updates.registry import Registry, Update
    from edged.updates.shelf import Shelf

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 30.0
"""After a registry that cannot be asked: doubled each time, up to the interval."""
WAITING_SECONDS: Final = 300.0
"""Between two looks at an update that waits for its window, for room or for the clock."""
JITTER: Final = 0.1

Reply = Callable[["str | None"], None]
"""Called with what went wrong; None: nothing did."""


@dataclass(frozen=True, slots=True)
class Options:
    """How updates go.

    Attributes:
        device: this device's name: decides about its share of rollouts.
        name: `model.name` of the configuration.
        fixed: the configuration names a path: that labels, whatever else is here.
        address: the registry's, without secrets, for people.
        interval: seconds between two polls.
        automatic: whether what is offered is installed without being told to.
    """

    device: str
    name: str
    fixed: bool
    address: str
    interval: float
    automatic: bool


@dataclass(frozen=True, slots=True)
class Means:
    """What the updater works with.

    Attributes:
        registry: None where there is none: then models are only chosen by hand.
        prove: proves the package in a folder against the present model's, in throw-away processes; ModelError if not.
        why_wait: why an update of so many bytes may not be installed now; None where it may.
        tell: told of both whenever one of them has changed.
    """

    shelf: Shelf
    registry: Registry | None
    changeover: Changeover
    pipeline: Pipeline
    prove: Callable[[Path, Entry | None], None]
    why_wait: Callable[[int], str | None]
    tell: Callable[[ModelStatus, UpdateStatus], None]


class Updater:
    """Made and called on the event loop's thread."""

    def __init__(self, options: Options, means: Means) -> None:
        self._options = options
        self._means = means
        self._shelf, self._changeover = means.shelf, means.changeover
        self._commands: asyncio.Queue[tuple[ModelCommand, Reply]] = asyncio.Queue(maxsize=16)
        self._round: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._cancelled = False
        self._told_to: list[Reply] = []  # who has asked for an update and is to hear of it
        self._due = 0.0
        self._failures = 0
        self._choice: str | None = None  # the store's, as it is known here
        self._phase: State | None = None
        self._percentage: int | None = None
        self._update: Update | None = None  # on offer, or on its way
        self._rolled_back = False
        self._error: str | None = None
        self._said: tuple[ModelStatus, UpdateStatus] | None = None

    def command(self, command: ModelCommand, reply: Reply) -> None:
        """Do this as soon as can be."""
        try:
            self._commands.put_nowait((command, reply))
        except asyncio.QueueFull:
            reply("too many commands at once; wait for the results of the others")

    async def run(self) -> None:
        """For as long as the daemon lives."""
        self._say()
        while (classifier := self._means.pipeline.classifier) is None:  # noqa: ASYNC110  another thread sets it
            await asyncio.sleep(TICK_SECONDS)
        self._changeover.begin(classifier.ref)
        self._choice = self._chosen()
        self._say()
        await self._resume(classifier.ref.name)
        try:
            while True:
                try:
                    await self._turn()
                except EdgedError as error:
                    self._fault(str(error))
                except Exception as error:  # an error of edged's own: labels go on, and so does the next turn
                    log.exception("updates")
                    self._fault(f"internal error: {error}")
                self._say()
                await asyncio.sleep(TICK_SECONDS)
        finally:
            self._cancelled = True
            if self._round is not None:
                self._round.cancel()

    async def _resume(self, present: str) -> None:
        """Go on with a probation that a restart has cut off; it begins anew."""
        entry = self._shelf.waiting(present if self._options.name == BASE else self._options.name)
        if entry is None or self._options.fixed:
            return
        log.info("model %s was on probation: once more", entry.label)
        try:
            await self._try(entry)
        except EdgedError as error:
            self._fault(f"{entry.label}: {error}")

    async def _turn(self) -> None:
        async with self._changing:
            verdict = await self._changeover.look()
            if verdict is not None:
                self._rolled_back = verdict.standing is Standing.FAILED
                self._error = verdict.reason if self._rolled_back else None
                self._choice = self._chosen()
            await self._follow()
        while not self._commands.empty():
            await self._obey(*self._commands.get_nowait())
        if self._means.registry is None or self._options.fixed:
            return
        if self._round is not None and self._round.done():
            self._round = None
        if self._round is None and asyncio.get_running_loop().time() >= self._due:
            self._round = asyncio.create_task(self._go_round(self._means.registry), name="update")

    # By hand.

    async def _follow(self) -> None:
        """Another process has chosen a model: `edged models use` and `rollback`."""
        choice = self._chosen()
        if choice == self._choice or self._options.fixed:
            return
        entry = self._shelf.store.active()
        self._choice = choice
        before = self._changeover.entry
        if (entry and entry.digest) == (before and before.digest):
            return
        try:
            await self._changeover.to(entry, chosen=True)
        except (ModelError, WorkerError) as error:
            self._fault(f"{entry.label if entry else BASE}: {error}")
            await in_thread(partial(self._shelf.use, before), "store")
            self._choice = self._chosen()
        else:
            self._rolled_back, self._error = False, None

    async def _obey(self, command: ModelCommand, reply: Reply) -> None:
        error: str | None = None
        try:
            if self._options.fixed:
                raise UsageError("the configuration names a model's path; take model.path out of it")
            match command.action:
                case "update":
                    self._ask_for_update(reply)
                    return
                case "use":
                    await self._use(command.name or BASE, command.version)
                case "rollback":
                    await self._roll_back()
        except EdgedError as failure:
            error = str(failure)
        except Exception as failure:  # as above
            log.exception("command %s", command.action)
            error = f"internal error: {failure}"
        self._say()
        reply(error)

    def _ask_for_update(self, reply: Reply) -> None:
        if self._means.registry is None:
            reply("there is no registry: the configuration has no section `registry`")
            return
        self._told_to.append(reply)
        self._due = 0.0

    async def _use(self, name: str, version: str | None) -> None:
        wanted = name if version is None else f"{name}@{version}"
        entry = self._shelf.store.find(wanted)
        if entry is None and name != BASE:
            raise ModelError(f"no model {wanted} on this device (edged models list; edged models install)")
        async with self._changing:
            await self._changeover.to(entry, chosen=True)
            self._choice = self._chosen()
            self._rolled_back, self._error = False, None

    async def _roll_back(self) -> None:
        async with self._changing:
            if self._changeover.entry is None:
                raise UsageError("the base model labels: there is nothing to go back to")
            await self._changeover.leave("rolled back by hand")
            self._choice = self._chosen()
            self._rolled_back, self._error = True, "rolled back by hand"

    # By the registry.

    async def _go_round(self, registry: Registry) -> None:
        """Ask once, and install what is offered. Says by itself when the next round is due."""
        loop = asyncio.get_running_loop()
        told_to, self._told_to = self._told_to, []
        interval = self._options.interval
        pause = interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  not a secret
        error: str | None = None
        try:
            try:
                error = await self._poll(registry, told=bool(told_to))
                self._failures = 0
                if error is not None and self._update is not None:
                    pause = min(pause, WAITING_SECONDS)
            except (RegistryUnavailableError, UnavailableError) as failure:
                error = str(failure)
                pause = min(pause, RETRY_SECONDS * 2.0 ** min(self._failures, 16))
                log.log(logging.DEBUG if self._failures else logging.WARNING, "updates: %s", error)
                self._failures += 1
                self._error = error
            except EdgedError as failure:
                error = str(failure)
                self._fault(error)
            except Exception as failure:  # as above
                log.exception("updates")
                error = f"internal error: {failure}"
                self._fault(error)
        finally:
            self._phase = self._percentage = None
            self._due = loop.time() + pause
            for reply in told_to:
                reply(error)

    async def _poll(self, registry: Registry, *, told: bool) -> str | None:
        """Returns why nothing was installed, where that is worth saying."""
        present = self._changeover.ref
        name = self._options.name
        if name == BASE and present is not None:
            name = present.name
        asking = Asking(self._options.device, name, await self._installed(name), self._shelf.refusals.digests)
        poll = await in_thread(partial(registry.poll, asking), "registry")
        entry = self._changeover.entry
        if entry is not None and (revoked := poll.revocations.of_digest(f"sha256:{entry.digest}")) is not None:
            async with self._changing:
                await self._changeover.leave(f"it is revoked: {revoked.why}")
                self._choice = self._chosen()
                self._rolled_back = True
                self._fault(f"{entry.label} is revoked: {revoked.why}")
        self._update = poll.update
        if poll.update is None:
            if self._changeover.trial is None and not self._rolled_back:
                self._error = None
            return poll.reason if told else None
        waits = await in_thread(partial(self._means.why_wait, poll.update.size), "conditions")
        if waits is None and not told and not self._options.automatic:
            return None
        if waits is not None:
            self._error = waits
            return waits
        self._error = None
        await self._install(registry, poll.update)
        return None

    async def _installed(self, name: str) -> ModelRef | None:
        """What the registry is to be newer than: the newest of this name that has done well here, or is about to."""
        present = self._changeover.ref
        known = await in_thread(partial(self._shelf.newest_known, name), "store")
        if known is not None and self._changeover.trial is None:
            return ModelRef(name, known.record.version, f"sha256:{known.digest}")
        return present if present is not None and present.name == name else None

    async def _install(self, registry: Registry, update: Update) -> None:
        ref = update.ref
        log.info("model %s %s: downloading %d bytes", ref.name, ref.version, update.size)
        self._phase, self._percentage = "downloading", 0
        fetch = partial(registry.fetch, update, self._shelf.incoming, self._progress, lambda: self._cancelled)
        folder = await in_thread(fetch, "download")
        log.info("model %s %s: proving", ref.name, ref.version)
        self._phase, self._percentage = "proving", 100
        try:
            await in_thread(partial(self._means.prove, folder, self._changeover.entry), "prove")
        except ModelError as error:
            await in_thread(partial(self._shelf.refuse, ref, str(error), folder), "store")
            raise
        entry = await in_thread(partial(self._shelf.take_in, folder, self._options.address), "store")
        async with self._changing:
            await self._try(entry)
        self._update = None

    async def _try(self, entry: Entry) -> None:
        try:
            await self._changeover.to(entry, chosen=False)
        except (ModelError, WorkerError) as error:
            if not self._cancelled:
                await in_thread(partial(self._shelf.mark_bad, entry, str(error)), "store")
            self._rolled_back = True
            raise
        self._rolled_back, self._error = False, None

    def _progress(self, done: int, of: int) -> None:
        """In the download's thread."""
        self._percentage = min(99, done * 100 // max(1, of))

    # What is said.

    def _fault(self, text: str) -> None:
        log.log(logging.DEBUG if text == self._error else logging.WARNING, "updates: %s", text)
        self._error = text

    def _chosen(self) -> str | None:
        active = self._shelf.store.active()
        return None if active is None else active.digest

    def _say(self) -> None:
        change = self._changeover
        state: State = "good"
        if self._phase is not None:
            state = self._phase
        elif change.trial is not None:
            state = "probation"
        elif self._rolled_back:
            state = "rolled_back"
        present, update = change.ref, self._update
        previous = change.trial.fallback if change.trial is not None else self._shelf.store.previous()
        candidate = None if update is None else update.ref
        if change.trial is not None:
            candidate = present
        model = ModelStatus(present, state, _ref(previous), candidate, self._error, change.since)
        offered = UpdateStatus(
            installed_version=None if present is None else present.version,
            latest_version=None if update is None else update.ref.version,
            title=update.title if update else present.name if present else "",
            release_summary=update.notes if update else "",
            percentage=self._percentage,
            in_progress=self._phase is not None,
        )
        if (model, offered) != self._said:
            self._said = (model, offered)
            self._means.tell(model, offered)


def _ref(entry: Entry | None) -> ModelRef | None:
    return None if entry is None else ModelRef(entry.record.name, entry.record.version, f"sha256:{entry.digest}")
