"""Asks the registry now and then, and installs what it offers: one round after the other, each a task of its own."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError, ModelError, UnavailableError, WorkerError
from edged.labeling.label import ModelRef
from edged.models.package import BASE
from edged.threads import in_thread
from edged.updates.registry import Asking
from edged.updates.shelf import revoked_why

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.store import Entry
    from edged.updates.changeover import Changeover
    from edged.updates.registry import Poll, Registry, Update
    from edged.updates.shelf import Shelf
    from edged.updates.telling import Telling

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 30.0
"""After a registry that cannot be asked: doubled each time, up to the interval."""
WAITING_SECONDS: Final = 300.0
"""Between two looks at an update that waits for its window, for room or for the clock."""
JITTER: Final = 0.1
ENDING: Final = "edged ends; ask again once it runs"

Reply = Callable[["str | None"], None]
"""Called with what went wrong; None: nothing did."""


@dataclass(frozen=True, slots=True)
class RoundOptions:
    """How updates go.

    Attributes:
        device: this device's name: decides about its share of rollouts.
        name: `model.name` of the configuration.
        address: the registry's, without secrets, for people.
        interval: seconds between two rounds.
        automatic: whether what is offered is installed without being told to.
    """

    device: str
    name: str
    address: str
    interval: float
    automatic: bool


class Rounds:
    """On the event loop; what blocks runs in threads.

    Args:
        options: how.
        registry: which is asked.
        prove: proves the package in a folder against the present model's, in throw-away processes; ModelError if not.
        why_wait: why an update of so many bytes, which a person has asked for or not, may not be installed now; None
            where it may.
    """

    def __init__(
        self,
        options: RoundOptions,
        registry: Registry,
        prove: Callable[[Path, Entry | None], None],
        why_wait: Callable[[int, bool], str | None],
    ) -> None:
        self._options = options
        self._registry = registry
        self._prove = prove
        self._why_wait = why_wait
        self._task: asyncio.Task[None] | None = None
        self._told_to: list[Reply] = []  # who has asked for an update and is to hear of it
        self._due = 0.0
        self._failures = 0
        self._cancelled = False

    def hurry(self, reply: Reply) -> None:
        """Ask now, and install whatever is offered, though updates are not automatic."""
        self._told_to.append(reply)
        self._due = 0.0

    def turn(self, work: Work) -> None:
        """Begin a round if one is due and none goes on. Does not wait."""
        if self._task is not None and self._task.done():
            self._task = None
        if self._task is None and asyncio.get_running_loop().time() >= self._due:
            self._task = asyncio.create_task(self._go(work), name="update")

    def stop(self) -> None:
        """End what goes on; does not wait. What is downloaded is kept for the next time."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()
        told_to, self._told_to = self._told_to, []
        for reply in told_to:
            reply(ENDING)

    async def _go(self, work: Work) -> None:
        """One round. It says by itself when the next is due, and fails into words."""
        told_to, self._told_to = self._told_to, []
        interval = self._options.interval
        pause = interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  not a secret
        error: str | None = None
        try:
            error = await self._ask(work, told=bool(told_to))
            self._failures = 0
            if work.telling.waiting:
                pause = min(pause, WAITING_SECONDS)
        except UnavailableError as failure:
            error = str(failure)
            pause = min(pause, RETRY_SECONDS * 2.0 ** min(self._failures, 16))
            self._failures += 1
            work.telling.fault(error)
        except EdgedError as failure:
            error = str(failure)
            work.telling.fault(error)
        except asyncio.CancelledError:
            error = ENDING
            raise
        except Exception as failure:  # an error of edged's own: labels go on, and so does the next round
            log.exception("updates")
            error = f"internal error: {failure}"
            work.telling.fault(error)
        finally:
            work.telling.phase = work.telling.percentage = None
            # whoever has asked meanwhile is answered by a round of their own
            self._due = 0.0 if self._told_to else asyncio.get_running_loop().time() + pause
            for reply in told_to:
                reply(error)

    async def _ask(self, work: Work, *, told: bool) -> str | None:
        """Returns why nothing was installed, where that is worth saying."""
        telling, change = work.telling, work.changeover
        name = self._options.name
        if name == BASE and change.ref is not None:
            name = change.ref.name
        asking = Asking(self._options.device, name, await _installed(work, name), work.shelf.refusals.reasons)
        poll = await in_thread(partial(self._registry.poll, asking), "registry")
        if not poll.asked:
            telling.waits(poll.reason)
            return poll.reason
        await self._leave_revoked(work, poll)
        telling.update = update = poll.update
        if update is None or not (told or self._options.automatic):
            if change.trial is None and not telling.rolled_back:
                telling.recovered()
            return None if poll.newest else poll.reason
        waits = await in_thread(partial(self._why_wait, update.size, told), "conditions")
        if waits is None:
            telling.error = None
            await self._install(work, update)
        else:
            telling.waits(waits)
        return waits

    async def _leave_revoked(self, work: Work, poll: Poll) -> None:
        """Nothing that is revoked labels, or is a way back."""
        async with work.changing:
            try:
                await in_thread(partial(work.shelf.refuse_revoked, poll.revocations), "store")
            except EdgedError as error:  # the one that labels is left all the same
                log.warning("the models on this device cannot be changed: %s", error)
            entry = work.changeover.entry
            revoked = None if entry is None else poll.revocations.of_digest(f"sha256:{entry.digest}")
            if entry is None or revoked is None:
                return
            await work.changeover.leave(revoked_why(revoked.why))
        work.telling.rolled_back = True
        work.telling.fault(f"{entry.label} is revoked: {revoked.why}")

    async def _install(self, work: Work, update: Update) -> None:
        ref, telling, shelf = update.ref, work.telling, work.shelf
        log.info("model %s %s: downloading %d bytes", ref.name, ref.version, update.size)
        telling.phase, telling.percentage = "downloading", 0

        def told(done: int, of: int) -> None:  # in the download's thread
            telling.percentage = min(99, done * 100 // max(1, of))

        fetch = partial(self._registry.fetch, update, shelf.incoming, told, lambda: self._cancelled)
        folder = await in_thread(fetch, "download")
        log.info("model %s %s: proving", ref.name, ref.version)
        telling.phase, telling.percentage = "proving", 100
        try:
            await in_thread(partial(self._prove, folder, work.changeover.proved), "prove")
        except ModelError as error:
            await in_thread(partial(shelf.refuse, ref, str(error), folder), "store")
            raise
        entry = await in_thread(partial(shelf.take_in, folder, self._options.address), "store")
        async with work.changing:
            await work.try_out(entry)
        telling.update = None


@dataclass(frozen=True, slots=True)
class Work:
    """What rounds and commands both work with; `changing` is held while the model changes."""

    shelf: Shelf
    changeover: Changeover
    telling: Telling
    changing: asyncio.Lock

    async def try_out(self, entry: Entry, *, chosen: bool = False) -> None:
        """Let a model on probation label; one that cannot is refused from then on.

        Args:
            entry: the model.
            chosen: whether a person chose it.

        Raises:
            ModelError, WorkerError: it cannot.
        """
        try:
            await self.changeover.to(entry, chosen=chosen)
        except (ModelError, WorkerError) as error:
            await in_thread(partial(self.shelf.mark_bad, entry, str(error)), "store")
            self.telling.rolled_back = True
            raise
        self.telling.well()


async def _installed(work: Work, name: str) -> ModelRef | None:
    """What the registry is to be newer than: the newest of this name that has done well here, or is about to."""
    present = work.changeover.ref
    if work.changeover.trial is None:
        known = await in_thread(partial(work.shelf.newest_known, name), "store")
        if known is not None:
            return ModelRef(name, known.record.version, f"sha256:{known.digest}")
    return present if present is not None and present.name == name else None
