"""A real Home Assistant that a test starts, asks and ends. Its interpreter is named by $EDGED_HOME_ASSISTANT."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from support.mosquitto import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "EDGED_HOME_ASSISTANT"
LIFE = Path(__file__).with_name("home_assistant_life.py")
START_S = 60.0


def interpreter() -> str:
    """The interpreter that has Home Assistant; skips the test where none is named."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} is not set: scripts/home-assistant makes what it needs and runs this")
    return python


class HomeAssistant:
    """What it is told and shows; everything that it keeps outlives `stop`."""

    def __init__(self, folder: Path, port: int, login: tuple[str, str]) -> None:
        self._python = interpreter()
        self._folder = folder / "home-assistant"
        self._folder.mkdir()
        self._port = port
        self._login = login
        self._process: subprocess.Popen[bytes] | None = None
        self._earlier: list[str] = []  # said in earlier lives
        self._lines: list[str] = []
        self._forgiven = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def start(self) -> None:
        """Start it, and wait until it is up."""
        arguments = [self._python, str(LIFE), str(self._folder), str(self._port), str(free_port()), *self._login]
        with (self._folder / "stderr").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self._ask({"do": "look"}, START_S)

    def stop(self) -> None:
        """End it in order."""
        self.look()
        assert self._process is not None
        self._end(self._process)
        self._earlier, self._lines, self._forgiven = self.said, [], 0

    @property
    def said(self) -> list[str]:
        """Warnings and errors up to the last look, but for what is forgiven."""
        return self._earlier + self._lines[self._forgiven :]

    def forgive(self) -> list[str]:
        """What it has said so far was to be expected."""
        self.look()
        said = self.said
        self._earlier, self._forgiven = [], len(self._lines)
        return said

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            process.stdin.close()  # at whose end it stops
        with process:
            process.wait(START_S)

    def look(self) -> dict[str, Any]:
        """Entities by unique id, devices, and whether it is connected."""
        seen = self._ask({"do": "look"})
        self._lines = seen["said"]
        return seen

    def states(self) -> dict[str, str]:
        """The states of all entities, by the end of their unique id: `a.fps`."""
        return {key.partition(".")[2]: each["state"] for key, each in self.look()["entities"].items()}

    def until(self, right: Callable[[dict[str, str]], bool], seconds: float = 30.0) -> dict[str, str]:
        """Wait until the states are right."""
        deadline = time.monotonic() + seconds
        while not right(states := self.states()):
            assert time.monotonic() < deadline, f"waited in vain: {states}, {self.said}"
            time.sleep(0.2)
        return states

    def entity(self, key: str) -> str:
        """The entity's id."""
        found = (each for name, each in self.look()["entities"].items() if name.partition(".")[2] == key)
        return str(next(found)["entity_id"])

    def call(self, service: str, key: str, **data: object) -> None:
        """Call a service on an entity."""
        answer = self._ask({"do": "call", "service": service, "data": {"entity_id": self.entity(key), **data}})
        assert not answer, answer

    def image(self, key: str) -> dict[str, Any]:
        """What its proxy gives of an image."""
        return self._ask({"do": "image", "entity": self.entity(key)})

    def _ask(self, order: dict[str, Any], seconds: float = 20.0) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        line = process.stdout.readline() if ready else b""
        assert line, f"no answer: {(self._folder / 'stderr').read_text()[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer
