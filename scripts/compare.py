"""`scripts/compare`'s work: edged and MediaPipe's ImageClassifier on the same models and photos, in turn.

Both are held to one processor core. The time is from the file to the labels (`ImageLabeler.process(path)` against
`Image.create_from_file` and `classify`), the lower quartile of the rounds on either side, as a neighbour's work only
adds. Where the two differ, edged also labels the picture as MediaPipe decodes and samples it: if that gives MediaPipe's
confidences, the difference lies there and nowhere else.
Exit code: 0 where every goal is met, else 1.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from compare_report import Command, Report, Row, print_report
from compare_sampling import as_mediapipe_samples
from live import say

from edged import ImageLabeler
from edged.camera.geometry import WHOLE, Region, Rotation, Size
from edged.camera.image_file import SUFFIXES
from edged.errors import EdgedError, ModelError
from edged.models.files import MAX_MODEL_BYTES, Tflite, read
from edged.picturable import as_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

CHECKOUT: Final = Path(__file__).resolve().parents[1]
MEDIAPIPE_READS: Final = {".jpg", ".jpeg", ".png", ".bmp"}
DEADLINE_SECONDS: Final = 60.0  # for an answer of MediaPipe's
ALL: Final = 100_000
MOVES: Final = (-2, -1, 1, 2)  # pixels, down and to the right
COPIES: Final = 300  # JPEG files for the whole command
COMMAND_ROUNDS: Final = 7  # the least counts


@dataclass(frozen=True)
class View:
    """A photo, and what of it is looked at."""

    photo: Path
    rotation: Rotation = 0
    region: Region | None = None

    @property
    def title(self) -> str:
        """For people."""
        turned = f" turned {self.rotation}°" if self.rotation else ""
        return f"{self.photo.name}{turned}{' (a part)' if self.region else ''}"


# What the publishers look at in their own tests, beside the whole picture.
PUBLISHED: Final[dict[str, tuple[tuple[Rotation, Region | None], ...]]] = {
    "burger_rotation180.jpg": ((180, None),),
    "multi_objects.jpg": ((0, Region(0.45, 0.3075, 0.164, 0.427)),),
}


class MediaPipeError(Exception):
    """MediaPipe says no; its own words."""


class MediaPipe:
    """The other side, in a process of its own: scripts/mediapipe_side.py."""

    def __init__(self, python: Path, core: int) -> None:
        command: list[str | Path] = [python, CHECKOUT / "scripts/mediapipe_side.py", str(core)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, **question: object) -> dict[str, Any]:
        """One question, one answer. Raises MediaPipeError."""
        assert self._child.stdin is not None  # noqa: S101  for the type checker
        assert self._child.stdout is not None  # noqa: S101
        print(json.dumps(question), file=self._child.stdin, flush=True)
        answered, _, _ = select.select([self._child.stdout], [], [], DEADLINE_SECONDS)
        line = self._child.stdout.readline() if answered else ""
        if not line:
            self._child.kill()
            raise SystemExit(
                f"compare: MediaPipe's process ended, or gave no answer in {DEADLINE_SECONDS:g} s: {question}"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise MediaPipeError(answer["error"].strip().splitlines()[-1][:200])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate()  # closes its input, which ends it


def views_of(folders: list[Path]) -> list[View]:
    """Every photo that MediaPipe's loader can read, in the order of names."""
    views = []
    for folder in folders:
        for photo in sorted(path for path in folder.rglob("*") if path.suffix.lower() in MEDIAPIPE_READS & SUFFIXES):
            views += [View(photo), *(View(photo, *part) for part in PUBLISHED.get(photo.name, ()))]
    return views


def packed(model: Path, described: Tflite, folder: Path) -> Path:
    """A model whose metadata lack labels or a normalisation gets them from `edged models pack`, as a user would do it.

    Labels are those beside it that fit; a float model's normalisation is taken to be MobileNet's (127.5, 127.5).
    """
    needs_normalisation = described.file.inputs[0].dtype == "float32" and described.normalisation is None
    if described.labels and not needs_normalisation:
        return model
    words = ["--mean", "127.5", "--std", "127.5"] if needs_normalisation else []
    texts = [] if described.labels else sorted([*model.parent.glob("dict.txt"), *model.parent.glob("*labels*.txt")])
    for labels in texts:
        if len(labels.read_text("utf-8").splitlines()) == described.classes:
            words += ["--labels", str(labels)]
            break
    name, output = model.stem.lower(), folder / f"{model.parent.name}-{model.stem}"
    pack: list[str | Path] = [sys.executable, "-m", "edged", "models", "pack", model]
    pack += ["--name", name, "--version", "1.0.0", *words, "--output", output]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    return output / model.name


def best_two(scores: dict[int, float]) -> tuple[int, float]:
    """The best class, and how far the second is behind it."""
    ranked = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
    return ranked[0][0], ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0.0)


class Model:
    """One model on both sides."""

    def __init__(self, name: str, file: Path, mediapipe: MediaPipe, scratch: Path) -> None:
        self.name, self.file, self._mediapipe, self._pixels = name, file, mediapipe, scratch / "pixels.npy"
        mediapipe.ask(model=str(file))
        _, height, width, _ = Tflite(file, read(file, MAX_MODEL_BYTES)).file.inputs[0].shape
        self._size = Size(width, height)
        self._all = ImageLabeler(file, confidence_threshold=0.0, max_results=ALL, threads=1)
        self._quick = ImageLabeler(file, threads=1)

    def close(self) -> None:
        """End edged's processes."""
        self._all.close()
        self._quick.close()

    def compare(self, view: View, rounds: int) -> Row:
        """One photo, on both sides."""
        question: dict[str, object] = {"photo": str(view.photo), "rotation": view.rotation}
        if view.region is not None:
            question["region"] = [view.region.x, view.region.y, view.region.width, view.region.height]
        answer = self._mediapipe.ask(**question, pixels=str(self._pixels))
        theirs = {int(index): score for index, score in answer["scores"].items()}
        ours = self._scores(view.photo, view.rotation, view.region)
        theirs = {index: theirs.get(index, 0.0) for index in ours}  # edged says equal texts once
        pixels = as_mediapipe_samples(np.load(self._pixels), self._size, view.region or WHOLE, view.rotation)
        sampled = self._scores(pixels)
        names = {label.index: label.text for label in self._all.process(view.photo)}
        (our_best, our_lead), (their_best, their_lead) = best_two(ours), best_two(theirs)
        pairs = [self._times(view, question) for _ in range(rounds)]
        our_time, their_time = (statistics.quantiles(side, n=4)[0] for side in zip(*pairs, strict=True))
        return Row(
            model=self.name,
            photo=view.title,
            format=view.photo.suffix.lower().lstrip("."),
            edged_label=names[our_best],
            mediapipe_label=names[their_best],
            same=our_best == their_best,
            lead=round(min(our_lead, their_lead), 4),
            sways=our_best != their_best and self._sways(view, our_best),
            edged_confidence=round(ours[their_best], 4),
            mediapipe_confidence=round(theirs[their_best], 4),
            largest_difference=round(max(abs(ours[index] - theirs[index]) for index in ours), 4),
            left_difference=round(max(abs(sampled.get(index, 0.0) - theirs[index]) for index in ours), 4),
            edged_ms=round(1000 * our_time, 3),
            mediapipe_ms=round(1000 * their_time, 3),
            ratio=round(their_time / our_time, 2),
        )

    def _scores(self, image: object, rotation: Rotation = 0, region: Region | None = None) -> dict[int, float]:
        labels = self._all.process(image, rotation=rotation, region=region)  # type: ignore[arg-type]  # a path or pixels
        return {label.index: label.confidence for label in labels}

    def _sways(self, view: View, best: int) -> bool:
        """Whether edged finds another label best once the picture is moved by a pixel or two: less than they differ."""
        picture = as_picture(view.photo)
        pixels = picture.render(picture.size)
        moved = (np.roll(pixels, (by, by), (0, 1)) for by in MOVES)
        return any(best_two(self._scores(each, view.rotation, view.region))[0] != best for each in moved)

    def _times(self, view: View, question: dict[str, object]) -> tuple[float, float]:
        start = time.perf_counter()
        self._quick.process(view.photo, rotation=view.rotation, region=view.region)
        ours = time.perf_counter() - start
        return ours, self._mediapipe.ask(**question, timed=True)["seconds"]


def whole_command(model: Path, views: list[View], python: Path, scratch: Path) -> Command | None:
    """`edged label` on a folder of JPEG files, and a plain loop with MediaPipe over them, as commands, in turn."""
    photos = sorted({view.photo for view in views if view.photo.suffix.lower() in {".jpg", ".jpeg"}})
    if not photos:
        return None
    folder = scratch / "jpegs"
    folder.mkdir(exist_ok=True)
    copies = [folder / f"{number:03}.jpg" for number in range(COPIES)]
    for number, copy in enumerate(copies):
        copy.write_bytes(photos[number % len(photos)].read_bytes())

    def seconds(*command: str | Path) -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    ours: list[str | Path] = [sys.executable, "-m", "edged", "label", "--model", model, "--json"]
    theirs: list[str | Path] = [python, CHECKOUT / "scripts/mediapipe_side.py", "--loop", model]
    runs = [
        (seconds(*ours, copies[0]), seconds(*theirs, copies[0]), seconds(*ours, folder), seconds(*theirs, *copies))
        for _ in range(COMMAND_ROUNDS)
    ]
    return Command(COPIES, *(round(min(run), 3) for run in zip(*runs, strict=True)))


def models_of(folders: list[Path], mediapipe: MediaPipe, scratch: Path, left_out: dict[str, str]) -> Iterator[Model]:
    """Every model that both sides take; the others' names and why go into `left_out`."""
    for file in sorted(path for folder in folders for path in folder.rglob("*.tflite")):
        name = file.stem if file.stem != "model" else file.parent.name
        say(f"compare: {name}")
        try:
            described = Tflite(file, read(file, MAX_MODEL_BYTES))
            if described.file.compiled:
                raise ModelError("compiled for the Edge TPU")
            yield Model(name, packed(file, described, scratch), mediapipe, scratch)
        except (EdgedError, MediaPipeError, subprocess.CalledProcessError) as error:
            left_out[name] = str(error).replace(str(file), name)


def compare(folders: list[Path], python: Path, rounds: int) -> Report:
    """Everything. Raises SystemExit where there is nothing to compare."""
    views = views_of(folders)
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    command = None
    with tempfile.TemporaryDirectory(prefix="edged-compare-") as temporary, MediaPipe(python, core) as mediapipe:
        scratch = Path(temporary)
        for model in models_of(folders, mediapipe, scratch, left_out):
            try:
                for view in tuple(views):
                    try:
                        rows.append(model.compare(view, rounds))
                    except MediaPipeError as error:
                        left_out[view.title] = f"MediaPipe: {error}"
                        views.remove(view)
            finally:
                model.close()
            command = command or whole_command(model.file, views, python, scratch)
    if not rows:
        raise SystemExit(f"compare: no model and photo in {', '.join(map(str, folders))} that both sides take")
    return Report(tuple(rows), command, left_out)


def main() -> int:
    """Compare, and print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/compare", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="(default: $EDGED_TESTDATA)")
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="pairs of a photo (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    parser.add_argument("--mediapipe-python", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folders = args.folders or [Path(os.environ["EDGED_TESTDATA"])] if "EDGED_TESTDATA" in os.environ else args.folders
    if not folders or not all(folder.is_dir() for folder in folders):
        sys.exit("compare: give folders with models (.tflite) and photos, or set EDGED_TESTDATA to one")
    report = compare(folders, args.mediapipe_python, args.rounds)
    if args.json:
        print(json.dumps({"schema": 1, **asdict(report), "summary": report.summary}, indent=2))
    else:
        print_report(report)
    return 0 if report.met else 1


if __name__ == "__main__":
    raise SystemExit(main())
