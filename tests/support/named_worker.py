#!/usr/bin/env python3
"""A real worker in which a model does what its file's name says, once it has run so often:

    crash-100.tflite     the process aborts at the hundredth inference
    hang-100.tflite      … hangs
    slow-100.tflite      … takes a tenth of a second from then on

All others are as they are. Called as an interpreter is, so that `inference.python` can name it; the throw-away process
that proves a model uses it too, and does not run it as often.
"""

from __future__ import annotations

import os
import re
import sys
import time
import types
from pathlib import Path

_dash_c, _bootstrap, folder, *arguments = sys.argv[1:]
package = types.ModuleType("edged_worker")
package.__path__ = [folder]
sys.modules["edged_worker"] = package

from edged_worker import main as worker  # type: ignore[import-not-found]  # noqa: E402  made by the lines above

SLOW_SECONDS = 0.1
NAME = re.compile(r"(crash|hang|slow)-([0-9]+)\.tflite")

original_interpreter = worker.Runtime.interpreter


class Moody:
    """An interpreter that has been loaded from such a file."""

    def __init__(self, interpreter: object, mood: str, after: int) -> None:
        self._interpreter = interpreter
        self._mood = mood
        self._left = after

    def __getattr__(self, name: str) -> object:
        return getattr(self._interpreter, name)

    def invoke(self) -> None:
        self._left -= 1
        if self._left <= 0:
            if self._mood == "crash":
                os.abort()
            time.sleep(3600 if self._mood == "hang" else SLOW_SECONDS)
        self._interpreter.invoke()  # type: ignore[attr-defined]


def interpreter(runtime: object, path: str, *more: object) -> object:
    """As the real one, but for such a file."""
    made = original_interpreter(runtime, path, *more)
    match = NAME.fullmatch(Path(path).name)
    return made if match is None else Moody(made, match[1], int(match[2]))


worker.Runtime.interpreter = interpreter
worker.main(*arguments)
