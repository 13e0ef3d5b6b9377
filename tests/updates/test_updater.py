"""What is said, and answered, while no model can be loaded."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from edged.mqtt.model_messages import ModelCommand
from edged.updates import updater as updater_module
from edged.updates.changeover import Changeover
from edged.updates.probation import Terms
from edged.updates.rounds import Work
from edged.updates.shelf import open_shelf
from edged.updates.telling import Telling
from edged.updates.updater import NOT_LOADED, Updater

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edged.engine.engine import Engine
    from edged.model_switch import ModelSwitch
    from edged.mqtt.model_messages import ModelStatus
    from edged.pipeline import Pipeline


def test_what_an_earlier_run_said_does_not_stand_while_no_model_can_be_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(updater_module, "ACQUAINTANCE_SECONDS", 0.1)
    said: list[ModelStatus] = []
    answers: list[str | None] = []

    async def scenario() -> None:
        shelf = open_shelf(tmp_path)
        pipeline = cast("Pipeline", SimpleNamespace(classifier=None))
        change = Changeover(shelf, cast("ModelSwitch", None), cast("Engine", None), pipeline, Terms(1, 1.0, 3.0))
        work = Work(shelf, change, Telling(shelf.store, lambda model, _: said.append(model)), asyncio.Lock())
        updater = Updater("base", fixed=False, pipeline=pipeline, work=work, rounds=None)
        updater.command(ModelCommand("rollback"), answers.append)
        running = asyncio.create_task(updater.run())
        while not answers:  # noqa: ASYNC110  it says nothing else
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert answers == [NOT_LOADED]
    assert (said[-1].present, said[-1].last_error) == (None, NOT_LOADED)
