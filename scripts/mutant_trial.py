"""What edged does with a damaged model: as a bare file, in a package, and in one whose digests are rewritten."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast
from unittest.mock import patch

import numpy as np
import yaml
from mutant_child import Ended, in_child
from own_engine import OwnEngine
from support.mutations import Original

from edged.camera.image_file import read_picture
from edged.camera.picture import PackedPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.process import Launch
from edged.errors import EdgedError
from edged.models import manifest
from edged.models.package import MANIFEST, Package, open_package
from edged.models.prover import ALL, run_package
from edged.models.show import show_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edged.engine.engine import Engine
    from edged.models.member import GoldenPhoto

PARSE_MB: Final = 256
PARSE_SECONDS: Final = 20.0  # of a busy machine; one second of processor time is slow already
RUN_SECONDS: Final = 60.0
TOLERANCE: Final = 0.1  # of a confidence, as golden photos have it
ACCEPTED: Final = "accepted"
WHOLE: Final = LabelOptions(threshold=0.0, max_results=ALL)

GOLDEN: Final = "golden "
"""Begins what is said of a golden photo by a member whose labels its package states for it; all else is elsewhere."""

Answers = dict[str, dict[str, float]]
"""Confidence by label, for each photo and either what is golden in it or what is not."""


class Subject:
    """A model that is as it should be, in a package that has golden photos, and a folder to damage it in.

    Attributes:
        original: its bytes.
        bare, package: where its mutants are put.
    """

    def __init__(self, name: str, package: Path, member: int, folder: Path) -> None:
        self.name = name
        opened = open_package(package)
        chosen = opened.members[member]
        self._photos = {golden.photo: frozenset(_tellers(opened, golden)) for golden in opened.golden}
        self.file = chosen.file.name
        self.activation = chosen.activation
        self.original = Original.of(chosen.file.read_bytes())
        self.package = folder / name / "package"
        self.bare = folder / name / "bare" / self.file
        self._manifest = (package / MANIFEST).read_bytes()
        self.bare.parent.mkdir(parents=True)
        shutil.copytree(package, self.package)
        self.put(self.original.data)
        self._answers = self._whole(self._original_answers)

    def put(self, data: bytes) -> None:
        """Put a file in place of the model, bare and in the package, whose `model.yaml` is the original's."""
        (self.package / MANIFEST).write_bytes(self._manifest)
        for path in (self.package / self.file, self.bare):
            path.unlink(missing_ok=True)
        self.bare.write_bytes(data)
        os.link(self.bare, self.package / self.file)

    def rewrite(self) -> None:
        """Have `model.yaml` state what the file is now, and leave its golden photos as they are."""
        tree = yaml.safe_load(self._manifest)
        data = self.bare.read_bytes()
        tree["files"][self.file] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        (self.package / MANIFEST).write_text(json.dumps(tree), "utf-8")  # JSON is YAML

    def opened(self, *, bare: bool) -> Package:
        """The bare file as a package, or the package. Raises ModelError."""
        package = open_package(self.bare if bare else self.package)
        return package if self.activation is None or not bare else package.with_activation(self.activation)

    def parse(self) -> Ended:
        """Open what was put, every way, without running it: `accepted` or `refused: …` by way."""

        def work() -> dict[str, str]:
            said = {"bare": _verdict(lambda: open_package(self.bare)), "shown": _verdict(lambda: show_model(self.bare))}
            with _nothing_parsed():
                said["digest"] = _verdict(lambda: open_package(self.package))
            self.rewrite()
            return said | {"rewritten": _verdict(lambda: open_package(self.package))}

        return in_child(work, memory_mb=PARSE_MB, seconds=PARSE_SECONDS)

    def run(self, *, bare: bool) -> Ended:
        """Load and run what was put, golden photos included: `verdict` is `accepted`, `refused: …` or `other: …`.

        `other`: it was accepted, and any of its answers to golden photos is not the original's, among the members that
        a photo is about. `elsewhere`: the largest difference in what no package states: the other members' answers,
        and those to the same photos mirrored. Only a digest can tell that.
        """

        def work() -> dict[str, str]:
            engine = cast("Engine", OwnEngine())
            try:
                package = self.opened(bare=bare)
                run_package(engine, package, str(self.bare))
                if not any(member.cpu for member in package.members):
                    return {"verdict": "accepted: for the Edge TPU, not run"}
                mine, whole = self._look(engine, package), self._answers["bare" if bare else "package"]
            except EdgedError as error:
                return {"verdict": f"refused: {error}"}
            far = {photo: _difference(mine.get(photo, {}), whole[photo]) for photo in whole}
            golden = max(value for photo, value in far.items() if photo.startswith(GOLDEN))
            verdict = ACCEPTED if golden <= TOLERANCE else f"other: {golden:.2f}"
            return {"verdict": verdict, "elsewhere": f"{max(far.values()):.3f}"}

        if not bare:
            self.rewrite()
        return in_child(work, memory_mb=Launch().memory, seconds=RUN_SECONDS)

    def _original_answers(self) -> dict[str, str]:
        answers = {}
        for way in ("bare", "package"):
            engine = cast("Engine", OwnEngine())
            package = self.opened(bare=way == "bare")
            run_package(engine, package, str(self.bare))
            answers[way] = json.dumps(self._look(engine, package))
        return answers

    def _whole(self, work: Callable[[], dict[str, str]]) -> dict[str, Answers]:
        ended = in_child(work, memory_mb=Launch().memory, seconds=RUN_SECONDS)
        if ended.fate:
            raise RuntimeError(f"{self.name}: the original itself: {ended.fate}")
        return {way: json.loads(text) for way, text in ended.said.items()}

    def _look(self, engine: Engine, package: Package) -> Answers:
        """All answers to the package's golden photos, and to the same mirrored."""
        classifier = Classifier(engine, package)
        answers: Answers = {}
        first = package.members[0].name
        for photo, tellers in self._photos.items():
            picture = read_picture(photo)
            pixels = picture.render(picture.size)
            for name, shown in (("", pixels), ("mirrored ", np.ascontiguousarray(pixels[:, ::-1]))):
                for label in classifier.classify(PackedPicture(shown), WHOLE).labels:
                    golden = not name and (len(package.members) == 1 or (label.member or first) in tellers)
                    place = f"{GOLDEN if golden else name}{photo.name}"
                    answers.setdefault(place, {})[label.text] = label.confidence
        return answers


def _tellers(package: Package, golden: GoldenPhoto) -> Iterator[str]:
    """The members that a golden photo is about: those whose labels are stated, and not to be absent."""
    stated = {label.text for label in golden.labels if label.confidence > TOLERANCE}
    for member in package.members:
        if stated & {*member.labels, *(group.text for group in member.groups)}:
            yield member.name


def _difference(mine: dict[str, float], whole: dict[str, float]) -> float:
    if mine.keys() != whole.keys():
        return 1.0
    return max(abs(confidence - whole[text]) for text, confidence in mine.items())


def _verdict(opening: Callable[[], object]) -> str:
    try:
        opening()
    except EdgedError as error:
        return f"refused: {error}"
    return ACCEPTED


@contextmanager
def _nothing_parsed() -> Iterator[None]:
    """Have every look into a file of a package be an exception that nobody expects."""

    def forbidden(*_: object) -> None:
        raise AssertionError("a file was looked into whose digest is wrong")

    with patch.object(manifest, "Tflite", forbidden):
        yield
