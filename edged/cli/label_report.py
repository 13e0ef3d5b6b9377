"""How `edged label` gets on: a progress bar where somebody looks, a summary at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from edged.text import printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Task

PROGRESS_FROM: Final = 20  # files
MOST_NAMED: Final = 1000  # of what could not be read: a terminal keeps no more lines as a rule


class Report:
    """Counts the files. Everything goes to stderr; results have stdout to themselves."""

    def __init__(self, total: int, skipped: int, *, slow: bool = False) -> None:
        self._total = total
        self._skipped = skipped
        self._done = 0
        self._problems: list[str] = []
        self._failed = 0
        self._begun = time.monotonic()
        self._progress = _progress() if sys.stderr.isatty() and (total >= PROGRESS_FROM or slow) else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._task = self._progress.add_task("labelling", total=self._total, failed="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        if kind is None or (issubclass(kind, KeyboardInterrupt | OSError) and kind is not BrokenPipeError):
            self._summary(stopped=kind is not None)

    @property
    def console(self) -> Console:
        """Where lines for people go: above the bar, where both are on a terminal."""
        if self._progress is not None and sys.stdout.isatty():
            return self._progress.console
        return Console()

    @property
    def failed(self) -> bool:
        """Whether anything went wrong with a file."""
        return self._failed > 0

    def file_done(self, problem: str | None) -> None:
        """One more file is labelled, or `problem` says why not."""
        self._done += 1
        if problem is not None:
            self._failed += 1
            if len(self._problems) < MOST_NAMED:
                self._problems.append(problem)
        if self._progress is not None:
            failed = f"[red]{self._failed} failed[/]" if self._failed else ""
            self._progress.update(self._task, advance=1, failed=failed)

    def _summary(self, *, stopped: bool) -> None:
        if self._total + self._skipped <= 1 and not self._failed:
            return
        seconds = time.monotonic() - self._begun
        good = self._done - self._failed
        parts = [f"{good} labelled in {seconds:.1f} s ({good / max(seconds, 1e-3):.0f} a second)"]
        parts += [f"{self._skipped} skipped, labelled before"] if self._skipped else []
        parts += [f"{self._failed} of {self._total} could not be labelled"] if self._failed else []
        parts += [f"stopped, {self._total - self._done} not looked at"] if stopped else []
        print(f"edged: {'; '.join(parts)}{':' if self._problems else ''}", file=sys.stderr)
        for problem in self._problems:
            print(f"  {printable(problem)}", file=sys.stderr)
        if self._failed > len(self._problems):
            print(f"  … and {self._failed - len(self._problems)} more", file=sys.stderr)


class _Rate(ProgressColumn):
    """Files a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
        console=Console(stderr=True),
        transient=True,
        # rich would send what is printed to the bar's own stream, stderr: right on a terminal, lost to a file
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=False,
    )
