"""Who asks for an update hears of it, also where edged ends meanwhile."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from edged.updates.registry import Poll
from edged.updates.rounds import ENDING, RoundOptions, Rounds, Work
from edged.updates.shelf import open_shelf
from edged.updates.telling import Telling

if TYPE_CHECKING:
    from pathlib import Path

    from edged.updates.changeover import Changeover
    from edged.updates.registry import Asking, Cancelled, Told, Update


class Slow:
    """A registry that answers when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def poll(self, asking: Asking) -> Poll:
        self.asked.set()
        self.may_answer.wait(10)
        return Poll(None, f"{asking.model} is installed", newest=True)

    def fetch(self, update: Update, into: Path, told: Told, cancelled: Cancelled) -> Path:
        raise AssertionError((update, into, told, cancelled))


def test_who_has_asked_is_told_that_edged_ends(tmp_path: Path) -> None:
    registry = Slow()
    told: list[str | None] = []

    async def scenario() -> None:
        shelf = open_shelf(tmp_path)
        change = cast("Changeover", SimpleNamespace(ref=None, entry=None, trial=None))
        work = Work(shelf, change, Telling(shelf.store, lambda *_: None), asyncio.Lock())
        options = RoundOptions("device", "tiny", "file:///nowhere", 3600.0, automatic=True)
        rounds = Rounds(options, registry, lambda *_: None, lambda *_: None)
        rounds.hurry(told.append)
        rounds.turn(work)
        await asyncio.to_thread(registry.asked.wait, 10)
        rounds.hurry(told.append)
        rounds.stop()
        while len(told) < 2:  # noqa: ASYNC110  it says by itself that it is over
            await asyncio.sleep(0.01)
        registry.may_answer.set()

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert told == [ENDING, ENDING]
