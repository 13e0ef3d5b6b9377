"""One model of a package in an engine: picture in, confidences by class out."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from edged.camera.geometry import WHOLE, Region, Size
from edged.camera.picture import PackedPicture
from edged.errors import EdgedError, ModelError
from edged.labeling.preprocess import Fit, InputRule, prepare
from edged.labeling.scores import ScoreRule, class_count
from edged.models.labels import check_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edged.camera.picture import Picture
    from edged.engine.engine import Engine
    from edged.engine.options import Inference
    from edged.engine.worker.wire import TensorSpec
    from edged.models.member import Member

EDGE_TPU_OPERATOR: Final = "edgetpu-custom-op"  # what the Edge TPU's compiler leaves of a model


class LoadedMember:
    """A member, loaded.

    Attributes:
        member: what the package says of it.
        slot: where the engine holds it.
        size: width and height of the pictures that it takes.
        texts: what its classes are called; their numbers where nobody says.

    Raises:
        ModelError: the file cannot be loaded, or is not an image classifier with these labels, or its scores are known
            to be no confidences.
        WorkerError: the worker died over the file.
    """

    def __init__(self, engine: Engine, member: Member) -> None:
        self.member = member
        self._engine = engine
        self._inputs: dict[tuple[TensorSpec, Fit], InputRule] = {}  # another device may have other quantisation
        self._scores: dict[TensorSpec, ScoreRule] = {}
        try:
            self.slot = engine.load(member.cpu, member.edgetpu)
        except ModelError as error:
            raise ModelError(f"{member.file}: {_cure(str(error))}") from error
        try:
            inputs, outputs = engine.spec(self.slot)
            spec, output = _single(inputs, "input"), _single(outputs, "output")
            self.texts = _texts(member, class_count(output))
            self.size: Size = self._input_rule(spec, member.fit).size
            if self._score_rule(output).must_be_seen:
                self._try_out()
        except BaseException as error:
            self.unload()
            if isinstance(error, ModelError):
                raise ModelError(f"{member.file}: {error}") from error
            raise

    def unload(self) -> None:
        """Have the engine forget it."""
        with contextlib.suppress(EdgedError):
            self._engine.unload(self.slot)

    def infer(self, picture: Picture, fit: Fit, region: Region = WHOLE) -> tuple[NDArray[np.float64], Inference, float]:
        """Confidences by class, (N,); where they come from; and the seconds that the input took.

        Raises:
            BadImageError: the picture is damaged.
            ModelError: the scores are no confidences.
            WorkerError: see `Engine.infer`.
        """
        spent = 0.0

        def fill(tensor: NDArray[np.generic], spec: TensorSpec) -> None:
            nonlocal spent
            start = time.perf_counter()
            prepare(picture, self._input_rule(spec, fit), tensor, region)
            spent = time.perf_counter() - start

        done = self._engine.infer(self.slot, fill)
        return self._score_rule(done.spec).confidences(done.scores), done, spent

    def _input_rule(self, spec: TensorSpec, fit: Fit) -> InputRule:
        rule = self._inputs.get((spec, fit))
        if rule is None:
            rule = self._inputs[spec, fit] = InputRule.of(spec, self.member.normalisation, fit)
        return rule

    def _score_rule(self, spec: TensorSpec) -> ScoreRule:
        rule = self._scores.get(spec)
        if rule is None:
            rule = self._scores[spec] = ScoreRule.of(spec, self.member.activation, self.member.calibration)
        return rule

    def _try_out(self) -> None:
        """Have it look at noise: a model of logits is to be refused when it is loaded, not at some frame."""
        noise = np.random.default_rng(0).integers(0, 256, (self.size.height, self.size.width, 3), dtype=np.uint8)
        self.infer(PackedPicture(noise), Fit.STRETCH)


def _texts(member: Member, classes: int) -> tuple[str, ...]:
    for group in member.groups:
        if max(group.classes) >= classes:
            raise ModelError(
                f"the group {group.text!r} has the class {max(group.classes)}; the model has {classes}, from 0 on"
            )
    if not member.labels:
        return tuple(str(index) for index in range(classes))
    check_count(len(member.labels), classes, "label file")
    return member.labels


def _cure(reason: str) -> str:
    """What to do about a file that the runtime refuses, where that can be known."""
    if EDGE_TPU_OPERATOR in reason:
        why = reason.partition(f"({EDGE_TPU_OPERATOR}), and ")[2]
        return (
            "compiled for the Edge TPU, cannot run on the CPU: give the .tflite that it was compiled from"
            f" (the one that is not called *_edgetpu){f'; {why}' if why else ''}"
        )
    return " ".join(reason.split())


def _single(specs: tuple[TensorSpec, ...], what: str) -> TensorSpec:
    if len(specs) != 1:
        raise ModelError(f"the model has {len(specs)} {what}s; an image classifier has one")
    return specs[0]
