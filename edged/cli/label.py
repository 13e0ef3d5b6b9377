"""`edged label`: photos labelled once."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edged.cli.interrupt import interruptible
from edged.cli.words import add_command, between, threads
from edged.errors import BadImageError, SourceError
from edged.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edged.camera.geometry import Region
    from edged.classifier import Classification
    from edged.labeling.label import ModelRef

T = TypeVar("T")

DESCRIPTION = (
    "Labels photos, or every photo below a folder, once. A photo that cannot be read is named; the rest go on."
)

EPILOG = """\
examples:
  edged label photo.jpg
  edged label --threshold 0.2 --max 3 holiday/
  edged label --json holiday/ > labels.jsonl
  edged label --region 0.5,0,0.5,1 photo.jpg      the right half only
  edged label --model flowers.tflite rose.jpg

exit code: 0; 65 where a photo or the model could not be read
"""
PROGRESS_FROM = 20  # files


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "label", run, "labels of photos and folders", DESCRIPTION, EPILOG)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a photo, or a folder of them")
    parser.add_argument(
        "--model", default="base", metavar="M", help="base, a package's folder or a .tflite (%(default)s)"
    )
    parser.add_argument(
        "--max",
        type=between(1, 100_000, "a number of labels"),
        default=10,
        metavar="N",
        help="at most so many labels each (%(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=between(0.0, 1.0, "a confidence"),
        metavar="T",
        help="least confidence, 0 to 1 (default: the model's own)",
    )
    parser.add_argument(
        "--region", type=_region, metavar="X,Y,W,H", help="look at this part, in fractions of the upright picture"
    )
    parser.add_argument(
        "--rotation", type=int, choices=(0, 90, 180, 270), default=0, help="clockwise degrees that make it upright"
    )
    parser.add_argument(
        "--fit", choices=("stretch", "crop", "pad"), help="how a picture becomes the model's shape (the model's own)"
    )
    parser.add_argument("--threads", type=threads, metavar="N", help="threads of one inference")
    parser.add_argument(
        "--device",
        choices=("auto", "edgetpu", "cpu"),
        default="auto",
        help="where to infer (auto: on the Edge TPU as soon as it is ready, where there is one)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Label everything. Returns 0, or 65 where something could not be read."""
    import rich.markup  # noqa: F401, PLC0415  all that is heavy now: an interrupted import is no clean end

    from edged.camera import folder, image_file  # noqa: F401, PLC0415  as above
    from edged.labeler import ImageLabeler  # noqa: PLC0415  as above

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show a character is no reason to stop
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
    labeler = ImageLabeler(
        args.model,
        confidence_threshold=args.threshold,
        max_results=args.max,
        fit=args.fit,
        threads=args.threads,
        device=args.device,
    )
    with interruptible(), labeler:
        printer = _JsonLines(labeler.model) if args.json else _Table()
        photos = list(_photos(args.paths))
        failed = 0
        for path, problem in _with_progress(photos):
            try:
                if problem is not None:
                    raise problem
                printer.labels(path, labeler.classify(path, rotation=args.rotation, region=args.region))
            except (BadImageError, SourceError) as error:
                failed += 1
                printer.error(path, str(error))
    if failed:
        print(f"edged: {failed} of {len(photos)} could not be read", file=sys.stderr)
    return BadImageError.exit_code if failed else 0


class _JsonLines:
    """One JSON object a picture, as INTERFACES has it."""

    def __init__(self, model: ModelRef) -> None:
        self._model = asdict(model)

    def labels(self, path: Path, done: Classification) -> None:
        labels = [
            {"text": label.text, "confidence": round(label.confidence, 4), "index": label.index}
            for label in done.labels
        ]
        timing = {"preprocess": round(done.preprocess * 1000, 3), "inference": round(done.inference * 1000, 3)}
        self._line(
            {"file": str(path), "labels": labels, "model": self._model, "device": done.device, "timing_ms": timing}
        )

    def error(self, path: Path, reason: str) -> None:
        self._line({"file": str(path), "error": reason})

    @staticmethod
    def _line(fields: dict[str, object]) -> None:
        # ASCII: whatever the terminal, and a file name that is not UTF-8 can be had back (Python's surrogate escapes)
        print(json.dumps({"schema": 1, **fields}))


class _Table:
    """A line a picture, for people."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415

        self._console = Console(highlight=False, soft_wrap=True)

    def labels(self, path: Path, done: Classification) -> None:
        from rich.markup import escape  # noqa: PLC0415  label texts and file names are data, not markup

        words = "  ".join(f"[bold]{escape(printable(label.text))}[/] {label.confidence:.2f}" for label in done.labels)
        self._console.print(f"[dim]{escape(printable(path))}[/]  {words or '[dim]nothing above the threshold[/]'}")

    def error(self, path: Path, reason: str) -> None:
        from rich.markup import escape  # noqa: PLC0415

        said = reason if str(path) in reason else f"{path}: {reason}"
        self._console.print(f"[red]{escape(printable(said))}[/]")


def _photos(paths: Iterable[Path]) -> Iterator[tuple[Path, SourceError | None]]:
    """Every photo, folders looked through; a folder that cannot be is given with its error."""
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  Path's own raises for what it may not look at
            yield from _photos_below(path)
        else:
            yield path, None


def _photos_below(folder: Path) -> Iterator[tuple[Path, SourceError | None]]:
    from edged.camera.folder import find_photos  # noqa: PLC0415

    closed: list[tuple[Path, SourceError]] = []
    try:
        found = find_photos(folder, unreadable=lambda path, why: closed.append((path, SourceError(f"{path}: {why}"))))
        if not found and not closed:
            raise SourceError(f"{folder}: no photos in this folder")
    except SourceError as error:
        yield folder, error
    else:
        yield from ((photo, None) for photo in found)
        yield from closed


def _with_progress(photos: Sequence[T]) -> Iterable[T]:
    """A progress bar on stderr for long work, where somebody looks."""
    if len(photos) < PROGRESS_FROM or not sys.stderr.isatty():
        return photos
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import track  # noqa: PLC0415

    return track(photos, description="labelling", console=Console(stderr=True), transient=True)


def _region(text: str) -> Region:
    from edged.camera.geometry import Region  # noqa: PLC0415

    try:
        x, y, width, height = (float(part) for part in text.split(","))
        return Region(x, y, width, height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers such as 0.5,0,0.5,1") from None
    except BadImageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
