"""`edged label --output FILE`: results that are appended to, and what is in them already."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from edged.cli.label_output import COLUMNS
from edged.errors import UnwritableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

MOST_OF_A_LINE: Final = 16 * 1024 * 1024  # characters: ten thousand labels are one


@dataclass(frozen=True, slots=True)
class _Row:
    """What a line says, as far as it matters here. `model` is empty where the file could not be read."""

    file: str
    model: str
    of_video: bool
    line: str


@dataclass(frozen=True, slots=True)
class Results:
    """Where results go, None for the standard output; and the names of the files that are done, by the same model."""

    stream: TextIO | None
    done: frozenset[str] = frozenset()

    def close(self) -> None:
        """Close the file."""
        if self.stream is not None:
            self.stream.close()


def open_results(path: Path | None, kind: str, digest: str, *, resume: bool) -> Results:
    """Open a file to append to: a new one, or with `resume` one that is there; without a path the standard output.

    Of one that is there all whole results are kept; what could not be read is dropped, since it is tried again, and so
    is the last file where it may not have been finished: a line that was cut, or a video.

    Args:
        path: the file.
        kind: `json` or `csv`.
        digest: of the model that labels now; results of other models are kept and do not count.
        resume: go on with what is there.

    Raises:
        UsageError: it is there and `resume` is not given, or holds something else.
        OSError: it cannot be written.
    """
    if path is None:
        _begin_standard_output(kind)
        return Results(None)
    try:
        if not os.path.lexists(path):
            return Results(_begun(_open(path, "x"), kind))
        if not resume:
            raise UsageError(f"{path}: is there already; go on with it (--skip-labelled), or take it away")
        if not path.is_file():
            raise UsageError(f"{path}: not a regular file, so there is nothing in it to go on with")
        done = _mended(path, kind, digest)
        return Results(_open(path, "a"), frozenset(done))
    except OSError as error:
        raise UnwritableError(f"{path}: cannot be written ({error.strerror or error})") from error


def _mended(path: Path, kind: str, digest: str) -> set[str]:
    """The file written anew with what is kept of it, in one step. Returns the names of the files that are done."""
    done: set[str] = set()
    new = path.with_name(f"{path.name}.{os.getpid()}~")
    try:
        with _open(path, "r") as before, _begun(_open(new, "x"), kind) as after:
            rows = _csv_rows(before, path) if kind == "csv" else _json_rows(before, path)
            after.writelines(_kept(rows, digest, done))
            after.flush()
            os.fsync(after.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return done


def _begin_standard_output(kind: str) -> None:
    """CSV goes out in UTF-8, with names as they are; JSON is ASCII in any case."""
    if kind == "csv":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
        _begun(sys.stdout, kind)


def _begun(stream: TextIO, kind: str) -> TextIO:
    if kind == "csv":
        csv.writer(stream, lineterminator="\n").writerow(COLUMNS)
    return stream


def _open(path: Path, mode: str) -> TextIO:
    return cast("TextIO", path.open(mode, encoding="utf-8", errors="surrogateescape", newline=""))


def _kept(rows: Iterable[_Row | None], digest: str, done: set[str]) -> Iterator[str]:
    """The lines to keep, a file's at a time. None: the rest was cut off, and may have been of the same file."""
    group: list[_Row] = []
    for row in rows:
        if row is None:
            return
        if group and row.file != group[0].file:
            yield from _counted(group, digest, done)
            group = []
        group.append(row)
    if group and not group[0].of_video:
        yield from _counted(group, digest, done)


def _counted(group: list[_Row], digest: str, done: set[str]) -> Iterator[str]:
    if any(not row.model for row in group):
        return
    if all(row.model == digest for row in group):
        done.add(group[0].file)
    yield from (row.line for row in group)


def _json_rows(lines: TextIO, path: Path) -> Iterator[_Row]:
    number = 0
    while line := lines.readline(MOST_OF_A_LINE):
        number += 1
        if not line.endswith("\n"):  # it was cut, as only the last line can be
            return
        try:
            found = json.loads(line)
            model = "" if "error" in found else found["model"]["digest"]
            yield _Row(str(found["file"]), str(model), "time_s" in found, line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{path}:{number}: not a result of edged label --json; it is left as it is") from error


def _csv_rows(lines: TextIO, path: Path) -> Iterator[_Row | None]:
    reader = csv.reader(_whole_lines(lines), strict=True)
    try:
        if tuple(next(reader, COLUMNS)) != COLUMNS:
            raise UsageError(f"{path}: not a result of edged label --csv; it is left as it is")
        for cells in reader:
            if len(cells) != len(COLUMNS):
                yield None
                return
            row = dict(zip(COLUMNS, cells, strict=True))
            yield _Row(row["file"], "" if row["error"] else row["model"], bool(row["time_s"]), _csv_line(cells))
    except csv.Error:
        yield None  # cut within quotes


def _whole_lines(lines: TextIO) -> Iterator[str]:
    while line := lines.readline(MOST_OF_A_LINE):
        yield line if line.endswith("\n") else "cut\n"  # a row of one cell: `_csv_rows` ends there


def _csv_line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
