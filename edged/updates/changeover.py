"""Lets another model label, watches it, and goes back by itself when it does not do well."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.errors import EdgedError
from edged.models.package import BASE
from edged.threads import in_thread
from edged.updates.probation import ENOUGH, Conduct, Standing, Terms, Verdict, judge

if TYPE_CHECKING:
    from edged.engine.engine import Engine
    from edged.labeling.label import ModelRef
    from edged.model_switch import ModelSwitch
    from edged.models.store import Entry
    from edged.pipeline import Pipeline
    from edged.updates.shelf import Shelf

log = logging.getLogger(__name__)

BACK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Trial:
    """A model on probation.

    Attributes:
        entry: the model.
        fallback: what to go back to; None is the base model.
        chosen: whether a person chose it: then the store's choice is to be changed back too.
        usual: median seconds of an inference of the model before.
        began: `time.monotonic()` when it took over.
        restarts: of the inference process until then.
    """

    entry: Entry
    fallback: Entry | None
    chosen: bool
    usual: float | None
    began: float
    restarts: int


class Changeover:
    """For the event loop's thread, one call at a time.

    Args:
        name: `model.name` of the configuration.

    Attributes:
        entry: the model that labels; None is the base model, or one that is in no store.
        ref: its name, version and digest.
        since: when it took over, UTC (RFC 3339).
        trial: set while it is on probation.
    """

    def __init__(  # noqa: PLR0913  one for each part that it works with
        self, shelf: Shelf, switch: ModelSwitch, engine: Engine, pipeline: Pipeline, terms: Terms, *, name: str = BASE
    ) -> None:
        self._shelf = shelf
        self._switch = switch
        self._engine = engine
        self._pipeline = pipeline
        self._terms = terms
        self._name = name
        self.entry: Entry | None = None
        self.ref: ModelRef | None = None
        self.since: str | None = None
        self.trial: Trial | None = None

    def begin(self, ref: ModelRef) -> None:
        """The daemon has loaded its first model."""
        self._took_over(self._shelf.store.entry(ref.digest.removeprefix("sha256:")), ref)

    @property
    def proved(self) -> Entry | None:
        """The last model that has done well: the one that labels, or what a probation may lead back to."""
        return self.trial.fallback if self.trial is not None else self.entry

    @property
    def knows_times(self) -> bool:
        """Whether a new model's times can be compared with those of the one that labels."""
        return self._usual() is not None

    async def to(self, entry: Entry | None, *, chosen: bool) -> None:
        """Let this model label, on probation; None is the base model, which needs none.

        Raises:
            ModelError: it is torn, cannot be loaded, gives other labels on the Edge TPU than it must, or its probation
                was cut off too often.
            WorkerError: a worker died or hung over it.
            UnavailableError, PermissionDeniedError, CannotWriteError: the store cannot be changed.
            After the first two the model before labels on.
        """
        fallback = self.proved
        usual = self._usual() if self.trial is None else self.trial.usual
        if entry is not None:
            await in_thread(partial(self._shelf.begin_try, entry), "store")
        package = await in_thread(partial(self._shelf.open, entry), "open-model")
        restarts = await in_thread(partial(self._switch.to, package), "switch")
        log.info("model %s %s labels%s", package.ref.name, package.ref.version, ", on probation" if entry else "")
        left = self.trial
        self.trial = None
        self._took_over(entry, package.ref)
        if entry is not None:
            self.trial = Trial(entry, fallback, chosen, usual, time.monotonic(), restarts)
        if left is not None and (entry is None or left.entry.digest != entry.digest):  # replaced before it was judged
            await self._change(partial(self._shelf.give_up, left.entry))
        if chosen:
            await in_thread(partial(self._shelf.use_by_hand, entry), "store")

    async def look(self) -> Verdict | None:
        """Judge what is on probation; mark it good, or go back. None: nothing is, or nothing is decided yet."""
        trial = self.trial
        if trial is None:
            return None
        verdict = judge(self._terms, trial.usual, self._conduct(trial))
        if verdict.standing is Standing.PENDING:
            return None
        if verdict.standing is Standing.GOOD:
            self.trial = None
            log.info("model %s does well: %s", trial.entry.label, verdict.reason)
            await self._change(partial(self._shelf.mark_good, trial.entry))
        else:
            await self.leave(verdict.reason)
        return verdict

    async def leave(self, why: str) -> None:
        """Go back from the model that labels, which is refused from now on; to the base model in the worst case.

        Tries for as long as it takes: the model before, then the base model, again and again.
        """
        left, trial = self.entry, self.trial
        if left is None:
            return
        log.warning("model %s is taken out: %s", left.label, why)
        find = partial(self._shelf.last_good, left, self._name)
        back = trial.fallback if trial is not None else await in_thread(find, "store")
        self.trial = None
        # First of all: a power cut from here on must not lead back to it.
        await self._change(partial(self._shelf.mark_bad, left, why))
        if trial is None or trial.chosen:
            await self._change(partial(self._shelf.use, back))
        await self.back_to(back)

    async def back_to(self, back: Entry | None) -> None:
        """Label with what has done well, without a probation; as `leave`, for as long as it takes."""
        while True:
            try:
                package = await in_thread(partial(self._shelf.open, back), "open-model")
                await in_thread(partial(self._switch.back_to, package), "switch")
            except EdgedError as error:
                log.warning("back to %s: %s", back.label if back else "the base model", error)
                back = None
                await asyncio.sleep(BACK_SECONDS)
            else:
                break
        self._took_over(back, package.ref)
        log.info("model %s %s labels again", package.ref.name, package.ref.version)

    async def stop(self) -> None:
        """The daemon ends as it was told to: a probation that this cuts off does not count."""
        if self.trial is not None:
            await self._change(partial(self._shelf.put_off, self.trial.entry))

    async def _change(self, what: partial[None]) -> None:
        """Change the store as well as can be: with a full disk labels are right all the same until the next start."""
        try:
            await in_thread(what, "store")
        except EdgedError as error:
            log.warning("the models on this device cannot be changed: %s", error)

    def _took_over(self, entry: Entry | None, ref: ModelRef) -> None:
        self.entry, self.ref = entry, ref
        self.since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _usual(self) -> float | None:
        seconds = tuple(self._pipeline.showing.seconds)
        return statistics.median(seconds) if len(seconds) >= ENOUGH else None

    def _conduct(self, trial: Trial) -> Conduct:
        showing, state = self._pipeline.showing, self._engine.state()
        crash = (state.last_failure or "it was killed") if state.restarts > trial.restarts else None
        age = time.monotonic() - trial.began
        return Conduct(showing.results, showing.errors, crash, tuple(showing.seconds), age)
