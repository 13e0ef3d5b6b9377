"""What `edged label` says of each picture: a line for people, a line of JSON, or rows of CSV."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol

from edged.text import printable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from rich.console import Console

    from edged.classifier import Classification
    from edged.labeling.label import Label, ModelRef
    from edged.photos.pieces import Piece

COLUMNS: Final = ("file", "time_s", "text", "confidence", "index", "device", "error", "model")


class Printer(Protocol):
    """One way to say it."""

    def labels(self, piece: Piece, done: Classification) -> None:
        """What is on a picture."""

    def error(self, piece: Piece, reason: str) -> None:
        """Why a picture has no labels."""


class JsonLines:
    """One JSON object a picture. A moment of a video has its `time_s`, seconds from the beginning."""

    def __init__(self, model: ModelRef, stream: TextIO) -> None:
        self._model = asdict(model)
        self._stream = stream

    def labels(self, piece: Piece, done: Classification) -> None:
        """See `Printer`."""
        labels = [label.to_plain() for label in done.labels]
        timing = {"preprocess": round(done.preprocess * 1000, 3), "inference": round(done.inference * 1000, 3)}
        self._line(piece, {"labels": labels, "model": self._model, "device": done.device, "timing_ms": timing})

    def error(self, piece: Piece, reason: str) -> None:
        """See `Printer`."""
        self._line(piece, {"error": reason})

    def _line(self, piece: Piece, fields: dict[str, object]) -> None:
        where = {"file": str(piece.file)} | ({} if piece.at is None else {"time_s": round(piece.at, 3)})
        # ASCII: whatever the terminal, and a file name that is not UTF-8 can be had back (Python's surrogate escapes)
        self._stream.write(json.dumps({"schema": 1, **where, **fields}) + "\n")
        self._stream.flush()


class Csv:
    """A row for each label; one without a label for a picture that has none, or that cannot be read."""

    def __init__(self, model: ModelRef, stream: TextIO) -> None:
        self._model = model
        self._stream = stream
        self._writer = csv.writer(stream, lineterminator="\n")

    def labels(self, piece: Piece, done: Classification) -> None:
        """See `Printer`."""
        rows = [(label.text, f"{label.confidence:.4f}", label.index) for label in done.labels]
        self._rows(piece, rows or [("", "", "")], done.device)

    def error(self, piece: Piece, reason: str) -> None:
        """See `Printer`."""
        self._rows(piece, [("", "", "")], "", reason)

    def _rows(
        self, piece: Piece, rows: list[tuple[str, str, int]] | list[tuple[str, str, str]], device: str, error: str = ""
    ) -> None:
        at = "" if piece.at is None else f"{piece.at:.3f}"
        self._writer.writerows((piece.file, at, *row, device, error, self._model.digest) for row in rows)
        self._stream.flush()


class Table:
    """A line a picture, for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def labels(self, piece: Piece, done: Classification) -> None:
        """See `Printer`."""
        from rich.markup import escape  # noqa: PLC0415  label texts and file names are data, not markup

        words = "  ".join(f"[bold]{escape(printable(label.text))}[/] {_shown(label)}" for label in done.labels)
        at = "" if piece.at is None else f" [cyan]{_clock(piece.at)}[/]"
        name = escape(printable(piece.file))
        self._print(f"[dim]{name}[/]{at}  {words or '[dim]nothing above the threshold[/]'}")

    def error(self, piece: Piece, reason: str) -> None:
        """See `Printer`."""
        from rich.markup import escape  # noqa: PLC0415

        self._print(f"[red]{escape(printable(named(piece.file, reason)))}[/]")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def named(file: Path, reason: str) -> str:
    """The reason, with the file's name before it where it is not in it."""
    return reason if str(file) in reason else f"{file}: {reason}"


def _shown(label: Label) -> str:
    colour = "green" if label.confidence >= 0.75 else "yellow" if label.confidence >= 0.5 else "dim"  # noqa: PLR2004
    return f"[{colour}]{label.confidence:.2f}[/]"


def _clock(seconds: float) -> str:
    whole, rest = divmod(round(seconds, 1), 60)
    return f"{int(whole) // 60}:{int(whole) % 60:02}:{rest:04.1f}"
