"""Keeps the model right: watches the new one, follows a choice by hand, answers commands, has rounds go on.

One task on the event loop, and one beside it while an update is on its way; what blocks runs in threads. Labels never
wait for any of it, and no failure in it ends the daemon.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError, ModelError, UnavailableError, UsageError, WorkerError
from edged.models.package import BASE
from edged.threads import in_thread
from edged.updates.probation import Standing
from edged.updates.rounds import ENDING
from edged.updates.shelf import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from edged.classifier import Classifier
    from edged.labeling.label import ModelRef
    from edged.models.store import Entry
    from edged.mqtt.model_messages import ModelCommand
    from edged.pipeline import Pipeline
    from edged.updates.rounds import Reply, Rounds, Work

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
NOT_LOADED: Final = "no model is loaded yet; the log says why"
ACQUAINTANCE_SECONDS: Final = 10.0
"""From the start until a model on probation is tried again, where the one that labels is not well known before."""


class Updater:
    """Made and called on the event loop's thread.

    Args:
        name: `model.name` of the configuration.
        fixed: the configuration names a path: that labels, whatever else is here.
        pipeline: which labels.
        work: what to work with.
        rounds: None where there is no registry: then models are only chosen by hand.
    """

    def __init__(self, name: str, *, fixed: bool, pipeline: Pipeline, work: Work, rounds: Rounds | None) -> None:
        self._name = name
        self._fixed = fixed
        self._pipeline = pipeline
        self._work = work
        self._rounds = rounds
        self._store = work.shelf.store
        self._commands: asyncio.Queue[tuple[ModelCommand, Reply]] = asyncio.Queue(maxsize=16)
        self._choice: str | None = None  # the store's, as it is known here
        self._seen: tuple[ModelRef, str | None] | None = None  # what labelled, and was chosen, at `_see_whether_absent`
        self._resume_by: float | None = None  # the event loop's time; None: no probation waits to be gone on with

    def command(self, command: ModelCommand, reply: Reply) -> None:
        """Do this as soon as can be."""
        try:
            self._commands.put_nowait((command, reply))
        except asyncio.QueueFull:
            reply("too many commands at once; wait for the results of the others")

    async def run(self) -> None:
        """For as long as the daemon lives."""
        if not self._fixed:
            await self._attempt(in_thread(self._work.shelf.leave_bad_links, "store"))
        self._choice = self._chosen()
        self._say()
        self._work.changeover.begin((await self._first_classifier()).ref)
        if not self._fixed:
            await self._attempt(self._look_for_one_to_try())
        self._say()
        try:
            while True:
                await self._attempt(self._turn())
                await asyncio.sleep(TICK_SECONDS)
        finally:
            if self._rounds is not None:
                self._rounds.stop()
            while not self._commands.empty():
                self._commands.get_nowait()[1](ENDING)
            await self._work.changeover.stop()

    async def _first_classifier(self) -> Classifier:
        """The one that the daemon begins with. Where that takes long, what an earlier run has said is true no more."""
        telling, loop = self._work.telling, asyncio.get_running_loop()
        said_by = loop.time() + ACQUAINTANCE_SECONDS
        while (classifier := self._pipeline.classifier) is None:
            if loop.time() >= said_by:
                telling.error = NOT_LOADED
                self._say()
                while not self._commands.empty():
                    self._commands.get_nowait()[1](NOT_LOADED)
            await asyncio.sleep(TICK_SECONDS)
        if telling.error == NOT_LOADED:
            telling.recovered()
        return classifier

    async def _attempt(self, what: Coroutine[None, None, None]) -> str | None:
        """Do something that may fail into words; returns them. Whatever it is, labels go on, and so does the next."""
        error: str | None = None
        try:
            await what
        except UsageError as failure:  # whoever has asked for it hears of it
            return str(failure)
        except EdgedError as failure:
            error = str(failure)
        except Exception as failure:  # an error of edged's own
            log.exception("updates")
            error = f"internal error: {failure}"
        if error is not None:
            self._work.telling.fault(error)
        self._say()
        return error

    async def _look_for_one_to_try(self) -> None:
        """Whether `_resume` has something to do; where that cannot be seen now, it looks itself."""
        self._resume_by = asyncio.get_running_loop().time() + ACQUAINTANCE_SECONDS
        try:
            if await in_thread(partial(self._work.shelf.to_try, self._name), "store") is None:
                self._resume_by = None
        except UnavailableError as error:
            log.debug("updates: %s", error)

    async def _resume(self) -> None:
        """Try a model that was chosen, or updated to, before the start, which was made with the last good one.

        With `changing` held; once, and when the times of the one that labels are known, if that can be soon.
        """
        change = self._work.changeover
        if self._resume_by is None:
            return
        if not change.knows_times and asyncio.get_running_loop().time() < self._resume_by:
            return
        if change.trial is not None:  # another one has been chosen meanwhile
            self._resume_by = None
            return
        entry = await in_thread(partial(self._work.shelf.to_try, self._name), "store")
        self._resume_by = None
        if entry is not None:
            log.info("model %s: its probation begins again", entry.label)
            await self._try_out(entry, chosen=self._chosen() == entry.digest)

    async def _turn(self) -> None:
        telling = self._work.telling
        async with self._work.changing:
            tried = self._work.changeover.entry
            verdict = await self._work.changeover.look()
            if verdict is not None:
                telling.rolled_back = verdict.standing is Standing.FAILED
                telling.error = verdict.reason if telling.rolled_back else None
                if telling.rolled_back and tried is not None:
                    self._no_longer_offer(tried)
                self._choice = self._chosen()
            await self._follow()
            await self._resume()
        await self._see_whether_absent()
        while not self._commands.empty():
            await self._obey(*self._commands.get_nowait())
        if self._rounds is not None and self._resume_by is None and not self._fixed:
            self._rounds.turn(self._work)

    async def _follow(self) -> None:
        """Another process has chosen a model: `edged models use`, `update`, `rollback`. With `changing` held."""
        change = self._work.changeover
        if self._fixed:
            return
        await self._leave_refused()
        choice = self._chosen()
        if choice == self._choice:
            if change.trial is not None and self._work.shelf.is_given_up(change.trial.entry):
                change.trial = None  # somebody wants what was chosen before it
                await change.back_to(self._store.active())
                self._work.telling.well()
            return
        self._choice = choice
        entry, before = self._store.active(), change.entry
        if (entry and entry.digest) == (before and before.digest):
            return
        if entry is not None and entry.record.state == "probation":
            await self._try_out(entry, chosen=True)
            return
        try:
            await change.to(entry, chosen=True)
        except (ModelError, WorkerError) as error:
            await in_thread(partial(self._work.shelf.use, change.proved), "store")
            self._choice = self._chosen()
            raise ModelError(f"{entry.label if entry else BASE}: {error}") from error
        self._work.telling.well()

    async def _try_out(self, entry: Entry, *, chosen: bool) -> None:
        try:
            await self._work.try_out(entry, chosen=chosen)
        finally:
            self._choice = self._chosen()

    async def _leave_refused(self) -> None:
        """Another process has refused the model that labels: `edged models rollback`, or it is revoked."""
        change, telling = self._work.changeover, self._work.telling
        left = change.entry
        refusal = None if left is None else self._work.shelf.refusals.of(f"sha256:{left.digest}")
        if left is not None and refusal is not None:
            await change.leave(refusal.why)
            self._choice = self._chosen()
            telling.rolled_back, telling.error = True, refusal.why
            self._no_longer_offer(left)

    async def _obey(self, command: ModelCommand, reply: Reply) -> None:
        if self._fixed:
            reply("the configuration names a model's path; take model.path out of it")
        elif command.action == "update" and self._rounds is None:
            reply("there is no registry: the configuration has no section `registry`")
        elif command.action == "update" and self._rounds is not None:
            self._rounds.hurry(reply)
        elif command.action == "use":
            reply(await self._attempt(self._use(command.name or BASE, command.version)))
        else:
            reply(await self._attempt(self._roll_back()))

    async def _use(self, name: str, version: str | None) -> None:
        wanted = name if version is None else f"{name}@{version}"
        entry = self._work.shelf.find(wanted)
        if entry is None and name != BASE:
            raise UsageError(f"no model {wanted} on this device (edged models list; edged models install)")
        if entry is not None and (revoked := self._work.shelf.revocation(entry)) is not None:
            raise UsageError(f"{entry.label}: {revoked}")
        change = self._work.changeover
        async with self._work.changing:
            if entry is not None and change.entry is not None and change.entry.digest == entry.digest:  # it labels
                if change.trial is not None:
                    change.trial = replace(change.trial, chosen=True)
                await in_thread(partial(self._work.shelf.use_by_hand, entry), "store")
                self._choice = self._chosen()
                return
            if entry is not None and self._work.shelf.is_in_doubt(entry):  # a person wants it all the same
                await in_thread(partial(self._work.shelf.use_by_hand, entry), "store")
                await self._try_out(entry, chosen=True)
                return
            await self._work.changeover.to(entry, chosen=True)
            self._choice = self._chosen()
            self._work.telling.well()

    async def _roll_back(self) -> None:
        async with self._work.changing:
            if self._work.changeover.entry is None:
                previous = self._store.previous()
                if previous is None or self._work.shelf.is_in_doubt(previous):
                    raise UsageError("the base model labels: there is nothing to go back to")
                await self._work.changeover.to(previous, chosen=True)
                self._choice = self._chosen()
                self._work.telling.well()
                return
            self._no_longer_offer(self._work.changeover.entry)
            await self._work.changeover.leave(BY_HAND)
            self._choice = self._chosen()
            self._work.telling.rolled_back, self._work.telling.error = True, BY_HAND

    def _no_longer_offer(self, entry: Entry) -> None:
        """A model is taken out: `edged models update` may have taken it while it was on offer."""
        update = self._work.telling.update
        if update is not None and update.ref.digest == f"sha256:{entry.digest}":
            self._work.telling.update = None

    def _chosen(self) -> str | None:
        active = self._store.active()
        return None if active is None else active.digest

    def _say(self) -> None:
        self._work.telling.say(self._work.changeover)

    async def _see_whether_absent(self) -> None:
        """Whether another model than the configured one labels, and nobody chose it. Looked at when one takes over."""
        change, name = self._work.changeover, self._name
        if change.ref is None or self._seen == (change.ref, self._choice):
            return
        self._seen = (change.ref, self._choice)
        chosen = change.entry is not None and change.entry.digest == self._choice
        absent = None
        if not self._fixed and not chosen and name not in {BASE, change.ref.name}:
            absent = await in_thread(partial(self._work.shelf.why_absent, name), "store")
        self._work.telling.absent = absent and f"{absent}: {change.ref.name} labels"
