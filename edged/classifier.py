"""A package in an engine: picture in, labels out. What the pipeline and the library have in common."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edged.camera.geometry import WHOLE, Region, Size
from edged.errors import ModelError
from edged.labeling.decode import Choice, LabelSet, class_count, decode
from edged.labeling.preprocess import Fit, InputRule, look_ahead, prepare
from edged.labeling.slug import slugs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edged.camera.picture import Picture
    from edged.engine.engine import Engine
    from edged.engine.worker.wire import TensorSpec
    from edged.labeling.label import Label, ModelRef
    from edged.models.package import Member, Package

EDGE_TPU_OPERATOR = "edgetpu-custom-op"  # what the Edge TPU's compiler leaves of a model


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """Whose labels are wanted, by one camera or one call.

    Attributes:
        threshold: least confidence; None is the model's own.
        max_results: at most so many labels.
        allow, deny: label texts or slugs.
        fit: how the picture becomes the model's shape; None is the model's own.
    """

    threshold: float | None = None
    max_results: int = 10
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    fit: Fit | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """The labels of one picture, best first, and where the time went (seconds)."""

    labels: tuple[Label, ...]
    device: str
    preprocess: float
    inference: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one camera's options mean for this model. The input's rule is found at the first frame of each device."""

    fit: Fit
    labels: LabelSet
    choice: Choice
    rules: dict[TensorSpec, InputRule] = field(default_factory=dict)


class Classifier:
    """The first member of a package, loaded into an engine.

    Raises:
        ModelError: the file cannot be loaded, or is not an image classifier with these labels.
        WorkerError: the worker died over the file.
    """

    def __init__(self, engine: Engine, package: Package) -> None:
        self.ref: ModelRef = package.ref
        self._engine = engine
        self._member: Member = package.members[0]
        self._plans: dict[LabelOptions, _Plan] = {}
        try:
            self._slot = engine.load(self._member.cpu, self._member.edgetpu)
            inputs, outputs = engine.spec(self._slot)
        except ModelError as error:
            raise ModelError(f"{self._member.file}: {_cure(str(error))}") from error
        try:
            spec = _single(inputs, "input")
            self._texts = _texts(self._member, class_count(_single(outputs, "output")))
            self._slugs = slugs(self._texts)
            self._size = InputRule.of(spec, self._member.normalisation, self._member.fit).size
            self._plan(LabelOptions())
        except ModelError as error:
            engine.unload(self._slot)
            raise ModelError(f"{self._member.file}: {error}") from error

    @property
    def slot(self) -> int:
        """Where the engine holds the model."""
        return self._slot

    @property
    def size(self) -> Size:
        """Width and height of the pictures that the model takes."""
        return self._size

    @property
    def texts(self) -> tuple[str, ...]:
        """The labels by class index."""
        return self._texts

    def unknown_names(self, names: frozenset[str]) -> list[str]:
        """Those of an allow or deny list that are no label of this model: a warning's worth."""
        return sorted(names - set(self._texts) - set(self._slugs))

    def classify(self, picture: Picture, options: LabelOptions, region: Region = WHOLE) -> Classification:
        """Label one picture.

        Raises:
            BadImageError: the picture is damaged.
            WorkerError: see `Engine.infer`.
        """
        plan = self._plan(options)
        spent = 0.0

        def fill(tensor: NDArray[np.generic], spec: TensorSpec) -> None:
            nonlocal spent
            start = time.perf_counter()
            rule = plan.rules.get(spec)
            if rule is None:
                rule = plan.rules[spec] = InputRule.of(spec, self._member.normalisation, plan.fit)
            prepare(picture, rule, tensor, region)
            spent = time.perf_counter() - start

        inference = self._engine.infer(self._slot, fill)
        labels = decode(inference.scores, inference.spec, plan.labels, plan.choice)
        return Classification(labels, inference.device, spent, inference.seconds)

    def look_ahead(self, picture: Picture, options: LabelOptions, region: Region = WHOLE) -> None:
        """Have the picture decoded, in the caller's thread, before it is this picture's turn. Raises BadImageError."""
        look_ahead(picture, self._size, self._plan(options).fit, region)

    def _plan(self, options: LabelOptions) -> _Plan:
        plan = self._plans.get(options)
        if plan is None:
            threshold = self._member.threshold if options.threshold is None else options.threshold
            choice = Choice(threshold, options.max_results, options.allow, options.deny)
            labels = LabelSet.of(self._texts, self._slugs, choice)
            plan = self._plans[options] = _Plan(options.fit or self._member.fit, labels, choice)
        return plan


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


def _texts(member: Member, classes: int) -> tuple[str, ...]:
    if not member.labels:
        return tuple(str(index) for index in range(classes))
    if len(member.labels) != classes:
        raise ModelError(f"the model has {classes} classes and its label file {len(member.labels)} lines")
    return member.labels
