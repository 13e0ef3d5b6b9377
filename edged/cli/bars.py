"""Progress bars for downloads, where somebody looks."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from edged.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Bars = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def progress_bars() -> Iterator[Bars | None]:
    """A bar a file on stderr: called with its name, the bytes that are there and those that will be. None: a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  slow to import
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def told(name: str, have: int, of: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(printable(name).replace("[", "("), total=of)
            bars.update(tasks[name], completed=have, total=of)

        yield told
